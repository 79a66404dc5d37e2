"""`explain`: where a number or a sentence of a row comes from."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.common import CONFIG_OPTION, TEXT, errors_as_statuses, load, opened

if TYPE_CHECKING:
    from daemon.diagnostics.explanation import Explanation, NoteSource, NumberSource
    from rules.model.ledger import Movement
    from rules.rows.accounts import Account
    from rules.rows.periods import Period

NOTES = ("notes", "auto_notes", "auto_events")
ALIASES = {
    "customers": "total_customers",
    "paying": "paying_customers",
    "licenses": "active_licenses",
    "churn": "churned_customers",
    "note": "notes",
}


@click.command()
@CONFIG_OPTION
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Lines shown per sum.")
@click.argument("day", metavar="DATE")
@click.argument("field", metavar="FIELD", type=TEXT)
def explain(path: Path | None, limit: int, day: str, field: str) -> None:
    """Show the movements and events that a number or a sentence of a row comes from.

    DATE is a day (2026-11-22), or a month (2026-11) for a monthly row. FIELD is a number of the row, a part of one
    (revenue_by_plan.pro, mrr_movements.churn.count), "notes" for the whole note, or some words of it. The sums are made
    from the ledger anew; status 1 tells that they are not what the table says.

    \b
    Examples:
      chatello-analytics explain 2026-11-22 mrr
      chatello-analytics explain 2026-11-22 churned_customers
      chatello-analytics explain 2026-11-22 revenue_by_plan.pro
      chatello-analytics explain 2026-11-22 net_revenue_retention --limit 20
      chatello-analytics explain 2026-11-22 notes
      chatello-analytics explain 2026-11-22 "nuovi clienti"
      chatello-analytics explain 2026-11 mrr
    """
    period = _period(day)
    with errors_as_statuses():
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.diagnostics.explanation import Explanation

            explanation = Explanation(database, loaded.settings(), limit)
            _require_known(explanation, period)
            name = ALIASES.get(field, field)
            answers = [] if name in NOTES else explanation.numbers(name, period)
            if answers:
                holds = [_Page(explanation, loaded.time.zone, period).number(answer) for answer in answers]
                raise SystemExit(0 if all(holds) else 1)
            words = "" if name in NOTES else field
            _sentences(explanation, loaded.time.zone, period, words)


def _period(text: str) -> "Period":
    from rules.rows import periods

    for form, made in (("%Y-%m-%d", periods.day), ("%Y-%m", periods.month)):
        try:
            return made(datetime.strptime(text, form).date())  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    raise click.BadParameter(f"{text!r} is no day such as 2026-11-22 and no month such as 2026-11", param_hint="DATE")


def _require_known(explanation: "Explanation", period: "Period") -> None:
    from daemon.store.ledger import reader as ledger

    begin = ledger.first_day(explanation.database)
    if begin is None or period.last < begin:
        raise click.BadParameter(f"the ledger begins on {begin}: nothing is known of {period}", param_hint="DATE")
    if explanation.is_to_come(period):
        raise click.BadParameter(f"{period} is still to come", param_hint="DATE")


def _sentences(explanation: "Explanation", zone: tzinfo, period: "Period", words: str) -> None:
    stored = explanation.stored(period)
    note, ours = stored.get("notes") or "", stored.get("auto_notes")
    persons = bool(stored) and note != ours and words.casefold() in str(note).casefold()
    if persons:
        click.echo(f"{period}: a person wrote in notes: {_safe(note)}")
    told = explanation.sentences(words, period)
    for piece in told:
        _Page(explanation, zone, period).piece(piece)
    if not told and not persons:
        from rules.rows.provenance import NAMES

        if not words:
            click.echo(f"{period}: the note is empty, as the day had no events")
            return
        raise click.BadParameter(
            f"{words!r} is neither in the note of {period} nor a number of its row; numbers: {', '.join(NAMES)}",
            param_hint="FIELD",
        )


class _Page:
    """Prints what was found about one period."""

    def __init__(self, explanation: "Explanation", zone: tzinfo, period: "Period") -> None:
        self.explanation = explanation
        self.zone = zone
        self.period = period
        self.plans = explanation.plans(period)

    # -- numbers --------------------------------------------------------------------------------------------

    def number(self, answer: "NumberSource") -> bool:
        """One number with its accounts; whether it is what the table says."""
        question = answer.question
        click.secho(f"{question.field} of {self.period}: {_plain(answer.question.answer, answer)}", bold=True)
        if answer.unknown:
            click.echo("  it would look back behind the day the ledger began: how things stood then nobody knows")
            return self._compared(answer)
        if question.formula:
            click.echo(f"  = {question.formula}")
        for account in question.accounts:
            self._account(account, named=bool(question.formula))
        return self._compared(answer)

    def _compared(self, answer: "NumberSource") -> bool:
        if not answer.adds_up:
            click.secho(f"  but a row made anew says {answer.made!r}: please report this", fg="red")
        held = answer.stored is None or answer.stored == answer.made
        if not held:
            click.secho(f"  but the table says {answer.stored!r}: see rollup --check", fg="red")
        return answer.adds_up and held

    def _account(self, account: "Account", *, named: bool) -> None:
        indent = "  "
        if named:
            click.echo(f"  {account.name}: {_amount(account.total, account)}")
            indent = "    "
        if account.carried is not None:
            click.echo(f"{indent}{_amount(account.before, account):>12}  as {account.first} began")
        names = self.explanation.names(line.movement for line in account.lines)
        for line in account.lines:
            click.echo(f"{indent}{_signed(line.amount, account):>12}  {self._movement(line.movement, names)}")
        if account.untold:
            rest = account.total - account.before - sum(line.amount for line in account.lines)
            click.echo(f"{indent}{_signed(rest, account):>12}  {account.untold} more (--limit shows them)")
        if account.lines or account.carried is None:
            click.echo(f"{indent}{_amount(account.total, account):>12}  in all")

    def _movement(self, movement: "Movement", names: Mapping[Any, str]) -> str:
        parts = [f"{movement.at.astimezone(self.zone):%Y-%m-%d %H:%M:%S}", movement.kind.value, movement.reason.value]
        if movement.customer_id is not None:
            name = names.get(movement.customer_id)
            customer = _safe(str(movement.customer_id))
            parts.append(f"{_safe(name)} ({customer})" if name else f"customer {customer}")
        if movement.license_id is not None:
            parts.append(f"licence {_safe(str(movement.license_id))}")
        if movement.plan_id is not None:
            parts.append(self._plans_of(movement))
        return "  ".join(parts)

    def _plans_of(self, movement: "Movement") -> str:
        worths = [worth for worth in (movement.before, movement.after) if worth is not None]
        ids = [worth.plan_id for worth in worths] or [movement.plan_id]
        return " -> ".join(dict.fromkeys(_safe(self.plans.get(plan_id, "unknown")) for plan_id in ids))

    # -- sentences ------------------------------------------------------------------------------------------

    def piece(self, told: "NoteSource") -> None:
        """One piece of a note with the events behind it."""
        click.secho(_safe(told.text), bold=True)
        for number in told.numbers:
            click.echo(f"  made of {number}: chatello-analytics explain {self.period} {number}")
        for event, movements in told.events:
            click.echo(f"  {self._event(event)}")
            names = self.explanation.names(movements)
            for movement in movements:
                click.echo(f"      {self._movement(movement, names)}{_moved(movement)}")
        if told.untold:
            click.echo(f"  and {told.untold} more (--limit shows them)")
        if told.gone:
            click.echo("  its events were deleted since; the row remembers:")
        for entry in told.gone:
            click.echo(f"    {_safe(entry.get('time'))}  {_safe(entry.get('type'))}  {_safe(entry.get('description'))}")

    def _event(self, event: Mapping[str, Any]) -> str:
        metadata = event.get("metadata")
        source = metadata.get("source") if isinstance(metadata, dict) else None
        at = event["event_date"].astimezone(self.zone)
        text = f"{_safe(event.get('event_type'))}  {_safe(event.get('description'))}"
        return f"{at:%Y-%m-%d %H:%M:%S}  {text}  [{_safe(str(event['_id']))}, by {_safe(source) or 'others'}]"


def _moved(movement: "Movement") -> str:
    """What a movement changes, where it changes something that counts."""
    from rules.settings.catalog import euro

    parts = [f"MRR {'+' if movement.mrr_cents > 0 else ''}{euro(movement.mrr_cents)}"] if movement.mrr_cents else []
    parts += [f"one-time {euro(movement.one_time_cents)}"] if movement.one_time_cents else []
    names = ("customers", "paying_customers", "subscribers", "active_licenses")
    parts += [f"{name} {getattr(movement, name):+d}" for name in names if getattr(movement, name)]
    return f"  ({', '.join(parts)})" if parts else ""


def _plain(value: Any, answer: "NumberSource") -> str:
    if answer.unknown or value is None:
        return "no value"
    from rules.settings.catalog import euro

    money = [account.unit.value for account in answer.question.accounts] == ["cents"]
    return euro(round(value * 100)) if money or answer.question.field == "arpa" else f"{value}"


def _amount(number: int, account: "Account") -> str:
    from rules.settings.catalog import euro

    return euro(number) if account.unit.value == "cents" else f"{number}"


def _signed(number: int, account: "Account") -> str:
    return f"{'+' if number > 0 else ''}{_amount(number, account)}"


def _safe(text: object) -> str:
    """Names may hold anything: one line, no control characters."""
    from rules.text import one_line

    return one_line(text, 1000)
