"""`events`: the business events, told by a person and shown as they are written."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon import clock
from daemon.cli.common import CONFIG_OPTION, TEXT, errors_as_statuses, load, opened
from daemon.errors import Unavailable
from rules.model.events import EventType
from rules.settings.custom_rules import TYPES

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
"""Of what is good, doubtful, bad and great; the rest is cyan."""


class Amount(click.FloatRange):
    """One that can be added up: no range holds back a NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        amount = float(super().convert(value, param, ctx))
        if not math.isfinite(amount):
            self.fail("wanted a finite number", param, ctx)
        return amount


REMEMBERED = 1000
AGAIN_SECONDS = 2.0

TYPE_OPTION = click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice([kind.value for kind in EventType]),
    metavar="TYPE",
    help="Only events of this type; may be given more than once.",
)


@click.group()
def events() -> None:
    """Business events: list them, tell one, watch them come."""


@events.command("list")
@CONFIG_OPTION
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 36_500), help="How far back.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="The newest so many.")
@TYPE_OPTION
def list_events(path: Path | None, days: int, limit: int, types: tuple[str, ...]) -> None:
    """Show the newest events, the newest last.

    \b
    Examples:
      chatello-analytics events list
      chatello-analytics events list --days 30 --type license_cancelled
    """
    with errors_as_statuses():
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.store import events as store

            for event in reversed(store.recent(database, clock.now() - timedelta(days=days), limit, types=types)):
                _show(event, loaded)


@events.command()
@CONFIG_OPTION
@click.argument("kind", metavar="TYPE", type=click.Choice([kind.value for kind in TYPES]))
@click.argument("description", type=TEXT)
@click.option("--at", type=click.DateTime(["%Y-%m-%d %H:%M", "%Y-%m-%d"]), help="When, by the shop's clock [now].")
@click.option("--customer-id", type=TEXT, help="The customer it is about.")
@click.option("--license-id", type=TEXT, help="The licence it is about.")
@click.option("--plan", type=TEXT, help="The plan it is about.")
@click.option("--amount", type=Amount(-1e9, 1e9), help="An amount in euros.")
@click.option("--key", type=TEXT, help="The same key again is the same event: for scripts that may run twice.")
def create(path: Path | None, kind: str, description: str, at: datetime | None, key: str | None, **about: Any) -> None:
    """Tell an event of one of the types that people tell.

    \b
    TYPE is feature_released, partnership, media_mention, support_ticket, server_issue, maintenance or
    marketing_campaign.

    \b
    Examples:
      chatello-analytics events create feature_released "Rilasciata integrazione Claude 3.5 Sonnet"
      chatello-analytics events create media_mention "Articolo su Wired" --at "2026-11-20 09:30"
    """
    from daemon.store import events

    with errors_as_statuses():
        loaded = load(path)
        with refusing("DESCRIPTION"):
            event: dict[str, Any] = {"event_type": kind, "description": events.valid_description(description)}
        event |= {"metadata": {"source": "command_line"}, "amount": about["amount"]}
        event |= {"plan_name": events.valid_plan(about["plan"])}
        event |= {
            name: events.id_of_text(about[name]) if about[name] else None for name in ("customer_id", "license_id")
        }
        with refusing("--at"):
            moment = events.valid_time(at.replace(tzinfo=loaded.time.zone), clock.now()) if at else None
        with opened(loaded) as database:
            from daemon.store import events as store

            made = store.create(database, {**event, "event_date": moment}, clock.now(), key)
        _show({**event, "event_date": moment or clock.now()}, loaded)
        click.echo(f"stored as {made}")


@events.command()
@CONFIG_OPTION
@click.option("--limit", default=10, show_default=True, type=click.IntRange(0, 1000), help="Events shown at first.")
@TYPE_OPTION
def tail(path: Path | None, limit: int, types: tuple[str, ...]) -> None:
    """Show the newest events, and further ones as they are written; Ctrl-C ends it.

    \b
    Examples:
      chatello-analytics events tail
      chatello-analytics events tail --type new_customer --type payment_completed
    """
    with errors_as_statuses():
        loaded = load(path)
        with opened(loaded) as database, suppress(KeyboardInterrupt):
            _follow(database, loaded, limit, types)


def _follow(database: Any, loaded: "Config", limit: int, types: tuple[str, ...]) -> None:
    """The stream is open before the first events are looked up: none falls between the two."""
    from daemon.store import events as store

    shown: dict[Any, Document] = {}
    for heard in _received(lambda after: store.follow(database, after, threading.Event())):
        if heard.is_quiet and limit:
            for event in reversed(store.recent(database, clock.now() - timedelta(days=3650), limit, types=types)):
                _show_once(event, shown, loaded)
            limit = 0
        elif heard.document is not None:
            if not types or heard.document.get("event_type") in types:
                _show_once(heard.document, shown, loaded)
        elif heard.deleted in shown:
            _show(shown.pop(heard.deleted), loaded, withdrawn=True)


def _received(follow: Callable[[str | None], Iterator[Any]]) -> Iterator[Any]:
    """What the stream brings; while the database does not answer it is tried again behind the last event heard."""
    token: str | None = None
    while True:
        try:
            for heard in follow(token):
                token = heard.token or token
                yield heard
        except Unavailable as problem:
            click.echo(f"chatello-analytics: {problem}; trying again", err=True)
            threading.Event().wait(AGAIN_SECONDS)


def _show_once(event: Document, shown: dict[Any, Document], loaded: "Config") -> None:
    if event["_id"] in shown:
        return
    shown[event["_id"]] = event
    if len(shown) > REMEMBERED:
        del shown[next(iter(shown))]
    _show(event, loaded)


def _show(event: Document, loaded: "Config", *, withdrawn: bool = False) -> None:
    """One line: when by the shop's clock, emoji, what; names are other people's text and stay on their line."""
    from rules.rows import daily_note
    from rules.text import one_line

    settings, kind = loaded.settings(), one_line(event.get("event_type"))
    metadata = event.get("metadata") if isinstance(event.get("metadata"), Mapping) else {}
    emoji = daily_note.emoji(kind, metadata or {}, settings) or daily_note.style(kind, settings).emoji
    at = event.get("event_date")
    when = f"{at.astimezone(loaded.time.zone):%Y-%m-%d %H:%M:%S}" if isinstance(at, datetime) else "?" * 19
    text = f"{emoji} {one_line(event.get('description'))}"
    what = click.style(text, dim=True) if withdrawn else click.style(text, fg=COLORS.get(kind, "cyan"))
    click.echo(f"{when}  {kind:19} {what}{'  (withdrawn: somebody else told it)' if withdrawn else ''}")


@contextmanager
def refusing(option: str) -> Iterator[None]:
    """A value that is refused, as a mistake in the option it came by."""
    try:
        yield
    except ValueError as mistake:
        raise click.BadParameter(str(mistake), param_hint=option) from None
