"""Eventi: all events with filters, page by page from a position, and the form for a new one."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated, NamedTuple
from unicodedata import normalize

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator

from daemon.mongo.id_text import id_candidates
from daemon.mongo.pagination import PageCursor
from daemon.mongo.types import Document
from daemon.rollup.event_descriptions import EventDescriber
from daemon.store import event_search
from daemon.store import events as store
from daemon.store.events import EventFilter
from daemon.web.api.events import format_cursor, parse_cursor
from daemon.web.api.schemas import BusinessDay
from daemon.web.context import WebContext
from daemon.web.page import addresses, event_texts
from daemon.web.page.parts.event_lines import EventLine, event_line
from daemon.web.page.rendering import Renderer, View
from daemon.web.page.snapshot import Snapshot
from rules import business_days
from rules.model.events import EventType
from rules.settings import italian
from rules.text import note_text, one_line

SHOWN = 50
MIN_LETTERS = 2
MILLISECOND = timedelta(milliseconds=1)
"""The difference of two dates of the database."""

Kind = Annotated[str, Query(alias="tipo", max_length=50)]
Day = Annotated[BusinessDay | None, BeforeValidator(lambda text: text or None), Query(alias="giorno")]
Customer = Annotated[str, Query(alias="cliente", max_length=1000)]
Words = Annotated[str, Query(alias="cerca", max_length=100)]
Position = Annotated[str | None, Query(alias="pagina", pattern=r"^[0-9]{1,14}\.[0-9]{1,7}$")]


class Filters(NamedTuple):
    """The filters as given; empty ones do not restrict."""

    tipo: str = ""
    giorno: date | None = None
    cliente: str = ""
    cerca: str = ""

    def stored(self, snapshot: Snapshot) -> EventFilter:
        start = end = None
        if self.giorno:
            start = business_days.start(self.giorno, snapshot.settings.zone)
            end = business_days.start(self.giorno + business_days.ONE_DAY, snapshot.settings.zone)
        ids = [self.cliente, *id_candidates(self.cliente)] if self.cliente else []
        return EventFilter((self.tipo,) if self.tipo else (), start, end, ids)


class Found(NamedTuple):
    """One page of events; `following` is the position after it, None on the last one.

    `searched` says until which day a search has read so far, "" if it has read all; `is_short`: of its words.
    """

    events: list[Document]
    following: str | None
    searched: str = ""
    is_short: bool = False


def router(context: WebContext) -> APIRouter:
    renderer, routes = Renderer(context), APIRouter()

    @routes.get(addresses.EVENTS)
    def show(
        kind: Kind = "", day: Day = None, customer: Customer = "", words: Words = "", position: Position = None
    ) -> Response:
        filters = Filters(kind, day, customer, one_line(words, 100))
        with renderer.snapshot() as snapshot:
            view = _view(snapshot, filters, parse_cursor(position))
            return renderer.page("events.html", "events", snapshot, {**view, "position": position})

    return routes


def _view(snapshot: Snapshot, filters: Filters, cursor: PageCursor | None) -> View:
    describer = EventDescriber.of(snapshot.database, snapshot.settings)
    find = _search if filters.cerca else _list
    found = find(snapshot, filters, cursor, describer)
    return {
        "filters": filters,
        "is_filtered": any(filters),
        "types": [(kind.value, event_texts.TYPES[kind]) for kind in EventType],
        "events": _by_day(event_line(event, snapshot.settings) for event in found.events),
        "is_short": found.is_short,
        "searched": found.searched,
        "following": addresses.events(**filters._asdict(), pagina=found.following) if found.following else "",
        "first": addresses.events(**filters._asdict()),
    }


def _by_day(lines: Iterable[EventLine]) -> Mapping[tuple[str, str], list[EventLine]]:
    """Group lines by day and its address."""
    days: dict[tuple[str, str], list[EventLine]] = {}
    for line in lines:
        days.setdefault((line.day, line.day_address), []).append(line)
    return days


def _list(snapshot: Snapshot, filters: Filters, cursor: PageCursor | None, describer: EventDescriber) -> Found:
    found = store.listed(snapshot.database, filters.stored(snapshot), SHOWN, cursor)
    following = store.cursor_after(found, cursor) if len(found) == SHOWN else None
    return Found(list(describer.describe(found)), format_cursor(following))


def _search(snapshot: Snapshot, filters: Filters, cursor: PageCursor | None, describer: EventDescriber) -> Found:
    """Return events whose shown text contains the words: what is not shown, such as a forgotten name, is not found."""
    if len(filters.cerca) < MIN_LETTERS:
        return Found([], None, is_short=True)
    wanted = filters.stored(snapshot)
    until = event_search.searched_until(snapshot.database, wanted, cursor)
    read: list[Document] = []
    events: list[Document] = []
    for event in event_search.search(snapshot.database, wanted, filters.cerca, cursor, until):
        read.append(event)
        events += [one for one in describer.describe([event]) if _contains(one, filters.cerca)]
        if len(events) == SHOWN:
            return Found(events, format_cursor(store.cursor_after(read, cursor)))
    if until is None:
        return Found(events, None)
    day = business_days.business_day(until, snapshot.settings.zone)
    searched = event_texts.SEARCHED.format(al_day=italian.with_article(italian.AL, day, snapshot.today))
    return Found(events, format_cursor(PageCursor(until - MILLISECOND, 0)), searched)


def _contains(event: Document, words: str) -> bool:
    return _comparable(words) in _comparable(note_text(event.get("description")))


def _comparable(text: str) -> str:
    return re.sub(r"\s+", " ", normalize("NFC", text)).casefold()
