"""`events`: list, create and follow business events."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from daemon import clock
from daemon.cli.common import TEXT, CommandContext, with_context
from daemon.errors import Unavailable
from rules.model.events import EventType
from rules.settings.custom_rules import MANUAL_TYPES

if TYPE_CHECKING:
    from daemon.config.schema import Config

Document = Mapping[str, Any]

COLORS: Mapping[str, str] = {
    EventType.NEW_CUSTOMER: "green",
    EventType.LICENSE_CREATED: "green",
    EventType.LICENSE_ACTIVATED: "green",
    EventType.LICENSE_RENEWED: "green",
    EventType.PAYMENT_COMPLETED: "green",
    EventType.PLAN_UPGRADED: "green",
    EventType.PLAN_DOWNGRADED: "yellow",
    EventType.LICENSE_EXPIRED: "yellow",
    EventType.LICENSE_SUSPENDED: "yellow",
    EventType.PAYMENT_REFUNDED: "yellow",
    EventType.LICENSE_CANCELLED: "red",
    EventType.PAYMENT_FAILED: "red",
    EventType.SERVER_ISSUE: "red",
    EventType.MILESTONE_REACHED: "magenta",
}
"""Green is good, yellow doubtful, red bad, magenta a milestone; all other types are cyan."""


class Amount(click.FloatRange):
    """A finite number in a range; FloatRange alone accepts NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        amount = float(super().convert(value, param, ctx))
        if not math.isfinite(amount):
            self.fail("must be a finite number", param, ctx)
        return amount


MAX_REMEMBERED = 1000
RETRY_SECONDS = 2.0

TYPE_OPTION = click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice([kind.value for kind in EventType]),
    metavar="TYPE",
    help="Show only events of this type; may be repeated.",
)


@click.group()
def events() -> None:
    """List, create or follow business events."""


@events.command("list")
@with_context
@click.option(
    "--days", default=7, show_default=True, type=click.IntRange(1, 36_500), help="Number of days to look back."
)
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="Maximum number of events."
)
@TYPE_OPTION
def list_events(context: CommandContext, days: int, limit: int, types: tuple[str, ...]) -> None:
    """List the newest events, the newest last.

    \b
    Examples:
      chatello-analytics events list
      chatello-analytics events list --days 30 --type license_cancelled
    """
    from daemon.store import events as store

    for event in reversed(store.recent(context.database, clock.now() - timedelta(days=days), limit, types=types)):
        _show(event, context.config)


@events.command()
@with_context
@click.argument("kind", metavar="TYPE", type=click.Choice([kind.value for kind in MANUAL_TYPES]))
@click.argument("description", type=TEXT)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d %H:%M", "%Y-%m-%d"]),
    metavar='YYYY-MM-DD|"YYYY-MM-DD HH:MM"',
    help="Time of the event in the shop's time zone (default: now).",
)
@click.option("--customer-id", type=TEXT, help="Id of the customer concerned, as an export shows it.")
@click.option("--license-id", type=TEXT, help="Id of the license concerned, as an export shows it.")
@click.option("--plan", type=TEXT, help="Name of the plan concerned.")
@click.option("--amount", type=Amount(-1e9, 1e9), help="Amount in euros.")
@click.option("--key", type=TEXT, help="Idempotency key: a second call with the same key creates no second event.")
def create(
    context: CommandContext, /, kind: str, description: str, at: datetime | None, key: str | None, **details: Any
) -> None:
    """Create a business event of one of the manual types.

    \b
    TYPE is feature_released, partnership, media_mention, support_ticket, server_issue, maintenance or
    marketing_campaign.

    \b
    Examples:
      chatello-analytics events create feature_released "Rilasciata integrazione Claude 3.5 Sonnet"
      chatello-analytics events create media_mention "Articolo su Wired" --at "2026-11-20 09:30"
    """
    from daemon.store import events as store
    from daemon.store.reference_lookup import reference_id
    from rules.model.changes import EVENT_REFERENCES

    config = context.config
    with as_bad_parameter("DESCRIPTION"):
        event: dict[str, Any] = {"event_type": kind, "description": store.valid_description(description)}
    event |= {"metadata": {"source": "command_line"}, "amount": details["amount"]}
    event |= {"plan_name": store.valid_plan(details["plan"])}
    event |= {
        name: reference_id(context.database, name, details[name]) if details[name] else None
        for name in EVENT_REFERENCES
    }
    with as_bad_parameter("--at"):
        moment = store.valid_time(at.replace(tzinfo=config.time.zone), clock.now()) if at else None
    event_id = store.create(context.database, {**event, "event_date": moment}, clock.now(), key)
    _show({**event, "event_date": moment or clock.now()}, config)
    click.echo(f"stored as {event_id}")


@events.command()
@with_context
@click.option(
    "--limit", default=10, show_default=True, type=click.IntRange(0, 1000), help="Number of past events to show first."
)
@TYPE_OPTION
def tail(context: CommandContext, limit: int, types: tuple[str, ...]) -> None:
    """Show the newest events and then new ones as they are recorded, until Ctrl-C.

    \b
    Examples:
      chatello-analytics events tail
      chatello-analytics events tail --type new_customer --type payment_completed
    """
    config, database = context.config, context.database
    with suppress(KeyboardInterrupt):
        _follow(database, config, limit, types)


def _follow(database: Any, config: "Config", limit: int, types: tuple[str, ...]) -> None:
    """Show past events after the stream has been opened, so that no event falls between the two."""
    from daemon.store import events as store

    shown: dict[Any, Document] = {}
    for item in _received(lambda after: store.follow(database, after, threading.Event())):
        if item.is_quiet and limit:
            for event in reversed(store.recent(database, clock.now() - timedelta(days=3650), limit, types=types)):
                _show_once(event, shown, config)
            limit = 0
        elif item.document is not None:
            if not types or item.document.get("event_type") in types:
                _show_once(item.document, shown, config)
        elif item.deleted in shown:
            _show(shown.pop(item.deleted), config, withdrawn=True)


def _received(follow: Callable[[str | None], Iterator[Any]]) -> Iterator[Any]:
    """Yield the items of the stream; while the database is unavailable, retry after the last item received.

    Print one line when it becomes unavailable and one when it is available again.
    """
    token: str | None = None
    is_lost = False
    while True:
        try:
            for item in follow(token):
                token = item.token or token
                if is_lost:
                    click.echo("chatello-analytics: connected again", err=True)
                    is_lost = False
                yield item
        except Unavailable as problem:
            if not is_lost:
                click.echo(f"chatello-analytics: {problem}; retrying", err=True)
            is_lost = True
            threading.Event().wait(RETRY_SECONDS)


def _show_once(event: Document, shown: dict[Any, Document], config: "Config") -> None:
    if event["_id"] in shown:
        return
    shown[event["_id"]] = event
    if len(shown) > MAX_REMEMBERED:
        del shown[next(iter(shown))]
    _show(event, config)


def _show(event: Document, config: "Config", *, withdrawn: bool = False) -> None:
    """Print one line: time in the shop's zone, type, emoji and text; customer names cannot break the line."""
    from rules.rows import daily_note
    from rules.text import note_text, one_line

    settings, kind = config.settings(), one_line(event.get("event_type"))
    metadata = event.get("metadata") if isinstance(event.get("metadata"), Mapping) else {}
    emoji, text = daily_note.split_emoji(kind, metadata or {}, note_text(event.get("description")), settings)
    at = event.get("event_date")
    when = f"{at.astimezone(config.time.zone):%Y-%m-%d %H:%M:%S %Z}" if isinstance(at, datetime) else "(no time)"
    line = f"{emoji} {text}"
    styled = click.style(line, dim=True) if withdrawn else click.style(line, fg=COLORS.get(kind, "cyan"))
    click.echo(f"{when}  {kind:19} {styled}{'  (withdrawn: reported externally)' if withdrawn else ''}")


@contextmanager
def as_bad_parameter(option: str) -> Iterator[None]:
    """Turn a ValueError into a BadParameter of the option."""
    try:
        yield
    except ValueError as mistake:
        raise click.BadParameter(str(mistake), param_hint=option) from None
