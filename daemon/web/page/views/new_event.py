"""The form for an event that a person knows: a release, a campaign, an article."""

from collections.abc import Mapping
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, NamedTuple
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import RedirectResponse

from daemon import clock
from daemon.errors import IdempotencyKeyConflict
from daemon.mongo.client import bounded
from daemon.store import events as store
from daemon.web.api.schemas import BusinessDay
from daemon.web.context import WebContext
from daemon.web.page import addresses, event_texts
from daemon.web.page.environment import page_url
from daemon.web.page.forms import form_fields
from daemon.web.page.rendering import DATABASE_TIMEOUT_SECONDS, Renderer
from daemon.web.page.snapshot import Snapshot
from rules import business_days
from rules.settings import italian
from rules.settings.custom_rules import MANUAL_TYPES
from rules.text import one_line

ADDRESS = f"{addresses.EVENTS}/nuovo"

Fields = Annotated[Mapping[str, str], Depends(form_fields)]
Added = Annotated[BusinessDay | None, Query(alias="aggiunto")]


class Draft(NamedTuple):
    """The fields of the form; `key` was made with the form, so that a second press adds the same event."""

    key: str
    kind: str = ""
    text: str = ""
    day: str = ""

    def problem(self, today: date) -> str:
        """Return what is wrong with the fields, "" if nothing is."""
        if self.kind not in MANUAL_TYPES:
            return event_texts.NOT_TYPE
        if not self.text or len(self.text) > store.MAX_DESCRIPTION:
            return event_texts.NOT_TEXT.format(limit=italian.integer(store.MAX_DESCRIPTION))
        day = _date(self.day)
        if day is None or not store.EARLIEST.date() < day <= today:
            return event_texts.NOT_DAY
        return "" if _is_key(self.key) else event_texts.NOT_KEY


def router(context: WebContext) -> APIRouter:
    renderer, routes = Renderer(context), APIRouter()

    @routes.get(ADDRESS)
    def show(added: Added = None) -> Response:
        with renderer.snapshot() as snapshot:
            return _form(renderer, snapshot, Draft(str(uuid4()), day=str(snapshot.today)), added=added)

    @routes.post(ADDRESS)
    def add(fields: Fields) -> Response:
        """Add the event; the same form sent twice adds one."""
        text = one_line(fields.get("testo"), store.MAX_DESCRIPTION + 1)
        draft = Draft(fields.get("chiave", ""), fields.get("tipo", ""), text, fields.get("giorno", ""))
        with renderer.snapshot() as snapshot:
            problem = draft.problem(snapshot.today)
            if problem:
                return _form(renderer, snapshot, draft, problem, HTTPStatus.UNPROCESSABLE_ENTITY)
            try:
                _create(context, snapshot, draft)
            except IdempotencyKeyConflict:
                return _form(renderer, snapshot, draft, event_texts.USED_KEY, HTTPStatus.CONFLICT)
        return RedirectResponse(page_url(ADDRESS, aggiunto=draft.day), HTTPStatus.SEE_OTHER)

    return routes


def _form(
    renderer: Renderer,
    snapshot: Snapshot,
    draft: Draft,
    problem: str = "",
    status: int = HTTPStatus.OK,
    *,
    added: date | None = None,
) -> Response:
    view = {
        "draft": draft,
        "problem": problem,
        "types": [(kind.value, event_texts.TYPES[kind]) for kind in MANUAL_TYPES],
        "limit": store.MAX_DESCRIPTION,
        "added": added,
        "confirmation": _confirmation(snapshot, added) if added else "",
    }
    return renderer.page("new_event.html", "events", snapshot, view, status)


def _confirmation(snapshot: Snapshot, added: date) -> str:
    if added < snapshot.today:
        return event_texts.ADDED_LATE
    return event_texts.ADDED.format(del_day=italian.with_article(italian.DEL, added, snapshot.today))


def _create(context: WebContext, snapshot: Snapshot, draft: Draft) -> None:
    now, day = clock.now(), _date(draft.day)
    event = {
        "event_type": draft.kind,
        "description": draft.text,
        "event_date": None if day is None or day == snapshot.today else _noon(day, snapshot),
        "auto_generated": False,
    }
    with bounded(DATABASE_TIMEOUT_SECONDS):
        store.create(context.database, event, now, f"page:{draft.key}")


def _noon(day: date, snapshot: Snapshot) -> datetime:
    """Return the middle of a past day, of which the form does not ask the time."""
    start, end = (business_days.start(one, snapshot.settings.zone) for one in (day, day + business_days.ONE_DAY))
    return start + (end - start) / 2


def _date(text: str) -> date | None:
    try:
        return business_days.parsed(text)
    except ValueError:
        return None


def _is_key(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
