"""`explain`: sources of a number or a sentence of a row."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.common import TEXT, CommandContext, with_context
from daemon.cli.days import DAY, require_recorded

if TYPE_CHECKING:
    from daemon.diagnostics.explanation import Explanation, NumberSource
    from daemon.diagnostics.note_explanation import NoteSource
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
@with_context
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of lines per sum."
)
@click.argument("day", metavar="DATE")
@click.argument("field", metavar="FIELD", type=TEXT)
def explain(context: CommandContext, limit: int, day: str, field: str) -> None:
    """Show the movements and events that a number or a sentence of a row is made from.

    DATE is a day (2026-11-26, today or yesterday), or a month (2026-11) for a monthly row. FIELD is a number of the
    row, a part of one (revenue_by_plan.pro, mrr_movements.churn.count), "notes" for the whole note, or some words of
    it. The sums are recomputed from the ledger; the exit status is 1 if they differ from the table.

    \b
    Examples:
      chatello-analytics explain yesterday mrr
      chatello-analytics explain yesterday churned_customers
      chatello-analytics explain yesterday revenue_by_plan.pro
      chatello-analytics explain yesterday net_revenue_retention --limit 20
      chatello-analytics explain yesterday notes
      chatello-analytics explain yesterday "nuovi clienti"
      chatello-analytics explain 2026-11 mrr
    """
    period = _period(context, day)
    config = context.config
    from daemon.diagnostics.explanation import Explanation
    from rules.rows import number_names

    explanation = Explanation(context.database, config.settings(), limit)
    _require_known(explanation, period)
    name = ALIASES.get(field) or number_names.field_of(field) or field
    sources = [] if name in NOTES else explanation.number_sources(name, explanation.ask(str(period)))
    if sources:
        printer = _Printer(explanation, config.time.zone, period)
        matches = [printer.number(source) for source in sources]
        raise SystemExit(0 if all(matches) else 1)
    _note(explanation, config.time.zone, period, "" if name in NOTES else field)


def _period(context: CommandContext, text: str) -> "Period":
    from rules.rows import periods

    with suppress(click.BadParameter):
        return periods.day(context.day(DAY.convert(text, None, None)))
    with suppress(ValueError):
        return periods.month(datetime.strptime(text, "%Y-%m").date())  # noqa: DTZ007 - a month has no zone
    raise click.BadParameter(
        f"{text!r} is neither a day (YYYY-MM-DD, today or yesterday) nor a month (YYYY-MM)", param_hint="DATE"
    )


def _require_known(explanation: "Explanation", period: "Period") -> None:
    require_recorded(explanation.database, period)
    if explanation.is_in_future(period):
        raise click.BadParameter(f"{period} is in the future", param_hint="DATE")


def _note(explanation: "Explanation", zone: tzinfo, period: "Period", words: str) -> None:
    stored = explanation.stored_row(period)
    note, generated = stored.get("notes") or "", stored.get("auto_notes")
    is_edited = bool(stored) and note != generated and words.casefold() in str(note).casefold()
    if is_edited:
        click.echo(f"{period}: manually edited note: {_safe(note)}")
    from daemon.diagnostics.note_explanation import NoteExplanation

    sources = NoteExplanation(explanation.database, explanation.settings, explanation.limit).note_sources(words, period)
    for source in sources:
        _Printer(explanation, zone, period).note(source)
    if not sources and not is_edited:
        from rules.rows.number_values import NAMES

        if not words:
            click.echo(f"{period}: the note is empty because there were no events")
            return
        raise click.BadParameter(
            f"{words!r} is neither in the note of {period} nor a number of its row; numbers: {', '.join(NAMES)}",
            param_hint="FIELD",
        )


class _Printer:
    """Prints the sources of the numbers and sentences of one period."""

    def __init__(self, explanation: "Explanation", zone: tzinfo, period: "Period") -> None:
        self.explanation = explanation
        self.zone = zone
        self.period = period
        self.plans = explanation.plan_names(period)

    # -- numbers --------------------------------------------------------------------------------------------

    def number(self, source: "NumberSource") -> bool:
        """Print one number with its accounts; return whether it matches the table."""
        question = source.question
        click.secho(f"{question.field} of {self.period}: {_plain(question.answer, source)}", bold=True)
        if source.unknown:
            click.echo("  unknown: the number needs data from before the ledger began")
            return self._compare(source)
        if question.formula:
            click.echo(f"  = {question.formula}")
        for account in question.accounts:
            self._account(account, named=bool(question.formula))
        return self._compare(source)

    def _compare(self, source: "NumberSource") -> bool:
        if not source.adds_up:
            click.secho(f"  but the recomputed row contains {source.computed!r}: please report this bug", fg="red")
        if not source.matches:
            click.secho(f"  but the table contains {source.stored!r}: run rollup --check", fg="red")
        return source.adds_up and source.matches

    def _account(self, account: "Account", *, named: bool) -> None:
        indent = "  "
        if named:
            click.echo(f"  {account.name}: {_amount(account.total, account)}")
            indent = "    "
        if account.carried is not None:
            click.echo(f"{indent}{_amount(account.before, account):>12}  at the start of {account.first}")
        names = self.explanation.customer_names(line.movement for line in account.lines)
        for line in account.lines:
            click.echo(f"{indent}{_signed(line.amount, account):>12}  {self._movement(line.movement, names)}")
        if account.omitted:
            rest = account.total - account.before - sum(line.amount for line in account.lines)
            click.echo(f"{indent}{_signed(rest, account):>12}  {account.omitted} more (raise --limit to show them)")
        if account.lines or account.carried is None:
            click.echo(f"{indent}{_amount(account.total, account):>12}  total")

    def _movement(self, movement: "Movement", names: Mapping[Any, str]) -> str:
        parts = [
            f"{movement.at.astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}",
            movement.kind.value,
            movement.reason.value,
        ]
        if movement.customer_id is not None:
            name = names.get(movement.customer_id)
            customer = _shown(movement.customer_id)
            parts.append(f"{_safe(name)} ({customer})" if name else f"customer {customer}")
        if movement.license_id is not None:
            parts.append(f"license {_shown(movement.license_id)}")
        if movement.plan_id is not None:
            parts.append(self._plans_of(movement))
        return "  ".join(parts)

    def _plans_of(self, movement: "Movement") -> str:
        values = [value for value in (movement.before, movement.after) if value is not None]
        ids = [value.plan_id for value in values] or [movement.plan_id]
        return " -> ".join(dict.fromkeys(_safe(self.plans.get(plan_id, "unknown")) for plan_id in ids))

    # -- notes ----------------------------------------------------------------------------------------------

    def note(self, source: "NoteSource") -> None:
        """Print one part of a note with its events."""
        click.secho(_safe(source.text), bold=True)
        for number in source.numbers:
            click.echo(f"  based on {number}: chatello-analytics explain {self.period} {number}")
        for event, movements in source.events:
            click.echo(f"  {self._event(event)}")
            names = self.explanation.customer_names(movements)
            for movement in movements:
                click.echo(f"      {self._movement(movement, names)}{_moved(movement)}")
        if source.omitted:
            click.echo(f"  and {source.omitted} more (raise --limit to show them)")
        if source.deleted_events:
            click.echo("  its events were deleted; the row contains:")
        for entry in source.deleted_events:
            click.echo(f"    {_safe(entry.get('time'))}  {_safe(entry.get('type'))}  {_safe(entry.get('description'))}")

    def _event(self, event: Mapping[str, Any]) -> str:
        metadata = event.get("metadata")
        source = metadata.get("source") if isinstance(metadata, dict) else None
        at = event["event_date"].astimezone(self.zone)
        text = f"{_safe(event.get('event_type'))}  {_safe(event.get('description'))}"
        return f"{at:%Y-%m-%d %H:%M:%S %Z}  {text}  [{_shown(event['_id'])}, source: {_safe(source) or 'external'}]"


def _moved(movement: "Movement") -> str:
    """Return the changes of MRR, revenue and counts by a movement, or "" if there is none."""
    from rules.settings.catalog import euro

    parts = [f"MRR {'+' if movement.mrr_cents > 0 else ''}{euro(movement.mrr_cents)}"] if movement.mrr_cents else []
    parts += [f"one-time {euro(movement.one_time_cents)}"] if movement.one_time_cents else []
    names = ("customers", "paying_customers", "subscribers", "active_licenses")
    parts += [f"{name} {getattr(movement, name):+d}" for name in names if getattr(movement, name)]
    return f"  ({', '.join(parts)})" if parts else ""


def _plain(value: Any, source: "NumberSource") -> str:
    if source.unknown or value is None:
        return "no value"
    from rules.settings.catalog import euro

    money = [account.unit.value for account in source.question.accounts] == ["cents"]
    return euro(round(value * 100)) if money or source.question.field == "arpa" else f"{value}"


def _amount(number: int, account: "Account") -> str:
    from rules.settings.catalog import euro

    return euro(number) if account.unit.value == "cents" else f"{number}"


def _signed(number: int, account: "Account") -> str:
    return f"{'+' if number > 0 else ''}{_amount(number, account)}"


def _shown(doc_id: object) -> str:
    from daemon.mongo.id_text import shown_id

    return shown_id(doc_id)


def _safe(text: object) -> str:
    """Return untrusted text as one line without control characters."""
    from rules.text import one_line

    return one_line(text, 1000)
