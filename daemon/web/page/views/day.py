"""The page of a day: its numbers, its note with the events behind each fact, the comment, events and movements."""

from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from daemon.diagnostics.explanation import Asked, Explanation
from daemon.mongo.types import Document
from daemon.rollup.event_descriptions import EventDescriber
from daemon.store import events as event_store
from daemon.store import rows as row_store
from daemon.store.events import EventFilter
from daemon.store.ledger import reader as ledger
from daemon.web.api.explain import MAX_SKIP
from daemon.web.api.schemas import BusinessDay
from daemon.web.context import WebContext
from daemon.web.page import addresses
from daemon.web.page.environment import page_url
from daemon.web.page.parts import comments, day_numbers, facts, plan_titles, rates, rows
from daemon.web.page.parts.event_lines import event_line
from daemon.web.page.parts.why import WhyLine, movement_line
from daemon.web.page.rendering import Renderer, View
from daemon.web.page.snapshot import Snapshot
from rules import business_days
from rules.rows import amendment, periods
from rules.settings import italian

SHOWN = 50

Skip = Annotated[int, Query(alias="salta", ge=0, le=MAX_SKIP)]
Saved = Annotated[comments.Outcome | None, Query(alias="commento")]
OldPeriod = Annotated[str | None, Query(alias="periodo")]
OldPage = Annotated[str | None, Query(alias="pagina")]


def router(context: WebContext) -> APIRouter:
    renderer, routes = Renderer(context), APIRouter()

    @routes.get(f"{addresses.DAYS}/{{day}}")
    def show(day: BusinessDay, skip: Skip = 0, saved: Saved = None) -> Response:
        with renderer.snapshot() as snapshot:
            found = view(context, snapshot, day, skip)
            return renderer.page("day.html", "", snapshot, {**found, "outcome": saved})

    @routes.get("/analytics/notes/{day}")
    def moved(day: BusinessDay, _period: OldPeriod = None, _page: OldPage = None) -> Response:
        """Lead the address of the former form of a note on to the comment of its day."""
        return RedirectResponse(page_url(addresses.day(day), "commento"), HTTPStatus.MOVED_PERMANENTLY)

    return routes


def view(context: WebContext, snapshot: Snapshot, day: date, skip: int = 0) -> View:
    row = row_store.get(snapshot.database, periods.day(day), snapshot.session)
    return {
        "day": day,
        "yesterday": day - business_days.ONE_DAY,
        "tomorrow": day + business_days.ONE_DAY if day < snapshot.today else None,
        "has_row": row is not None,
        "confirmations": comments.CONFIRMATIONS,
        "tags": rows.tags(row) if row else [],
        "author": comments.author(snapshot, row) if row else None,
        "numbers": _numbers(context.explanation(SHOWN), snapshot, day, row),
        "rates": _rates(context.explanation(SHOWN), snapshot, day, row),
        "rates_days": periods.RATES_DAYS,
        "facts": facts.of_day(snapshot, day, comments.own_note(snapshot, row) if row else ""),
        "first_facts": _first_facts(snapshot, day, row or {}),
        "is_of_the_note_only": amendment.is_of_the_note_only(row or {}),
        "comment": comments.view(snapshot, day, row) if row else None,
        "reported_at": italian.moment((_first(row)).get("updated_at"), snapshot.settings.zone),
        **_events(snapshot, day),
        **_movements(context.explanation(SHOWN), snapshot, day, skip),
    }


def _first(row: Document | None) -> Document:
    found = (row or {}).get("first_reported")
    return found if isinstance(found, dict) else {}


def _first_facts(snapshot: Snapshot, day: date, row: Document) -> list[facts.LinkedFact] | None:
    """Return the facts of the note that an amended row had first; None if the note is still the same."""
    note = _first(row).get("auto_notes")
    is_other = isinstance(note, str) and note != row.get("auto_notes")
    return facts.of_day(snapshot, day, note) if is_other else None


def _numbers(
    explanation: Explanation, snapshot: Snapshot, day: date, row: Document | None
) -> list[day_numbers.DayNumber]:
    """Return the numbers of the stored row; of a day that is not over, those of the snapshot's totals."""
    current, shown, line = snapshot.current, dict(row or {}), None
    if current is not None and day == snapshot.today:
        line = current.line
        asked = Asked(periods.day(day), line, is_live=True, at=current.at)
        shown |= explanation.row(asked, snapshot.session)
    titles = plan_titles.by_key(explanation.mirror.plans(), snapshot.settings)
    return list(day_numbers.numbers(shown, day, titles, is_explained=_is_explained(snapshot, day), line=line))


def _rates(explanation: Explanation, snapshot: Snapshot, day: date, row: Document | None) -> list[rates.RateLine]:
    """Return the rates of the stored row; of a day that is not over, those of the snapshot's totals."""
    if not _is_explained(snapshot, day):
        return []
    return rates.of_day(explanation, snapshot, day, (row or {}) if day < snapshot.today else {})


def _is_explained(snapshot: Snapshot, day: date) -> bool:
    first_day = snapshot.current.first_day if snapshot.current is not None else None
    return first_day is not None and first_day <= day <= snapshot.today


def _events(snapshot: Snapshot, day: date) -> View:
    start, end = (business_days.start(one, snapshot.settings.zone) for one in (day, day + business_days.ONE_DAY))
    found = event_store.listed(snapshot.database, EventFilter(start=start, end=end), SHOWN)
    describer = EventDescriber.of(snapshot.database, snapshot.settings)
    return {
        "events": [event_line(event, snapshot.settings) for event in describer.describe(found)],
        "event_count": event_store.count_between(snapshot.database, start, end),
    }


def _movements(explanation: Explanation, snapshot: Snapshot, day: date, skip: int) -> dict[str, Any]:
    database, session = snapshot.database, snapshot.session
    found = ledger.part_of_day(database, day, (skip, SHOWN), session)
    titles = plan_titles.by_id(explanation.mirror.plans(), snapshot.settings)
    names = explanation.customer_names(found), titles
    lines: list[WhyLine] = []
    for movement in found:
        amount = italian.signed_cents(movement.mrr_cents) if movement.mrr_cents else ""
        lines.append(movement_line(movement, amount, names, snapshot.settings.zone))
    count = ledger.count_of_day(database, day, session)
    following = skip + SHOWN
    return {"movements": lines, "movement_count": count, "next_movements": following if following < count else None}
