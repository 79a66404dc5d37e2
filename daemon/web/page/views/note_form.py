"""The form for the note of one day; the page's script inserts it into the table."""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Annotated, NamedTuple
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from daemon import clock
from daemon.mongo.client import bounded
from daemon.runtime import logs
from daemon.store import rows as row_store
from daemon.store.rows import NoteOutcome
from daemon.web.context import WebContext
from daemon.web.errors import RequestRejected
from daemon.web.page import texts
from daemon.web.page.environment import page_url
from daemon.web.page.parts import rows
from daemon.web.page.rendering import DATABASE_TIMEOUT_SECONDS, Renderer
from daemon.web.page.snapshot import Snapshot
from daemon.web.page.views import trend
from rules.rows import note_grammar
from rules.settings import italian

MAX_FIELDS = 8

log = logs.get("http")

Back = Mapping[str, str]
"""The parameters of the table that the form returns to."""

NO_ROW = RequestRejected(HTTPStatus.NOT_FOUND, "no row exists for this day")


async def form_fields(request: Request) -> Mapping[str, str]:
    """Return the fields of a URL-encoded form; of a repeated field the last value."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


def router(context: WebContext) -> APIRouter:
    form, routes = NoteForm(context), APIRouter()
    routes.add_api_route("/analytics/notes/{day}", form.show)
    routes.add_api_route("/analytics/notes/{day}", form.save, methods=["POST"])
    return routes


class NoteForm:
    def __init__(self, context: WebContext) -> None:
        self.context = context
        self.renderer = Renderer(context)

    def show(self, day: date, period: trend.Period = trend.TrendPeriod.MONTH, page: trend.Page = 1) -> Response:
        with self.renderer.snapshot() as snapshot:
            return self._form(snapshot, day, {"periodo": period.value, "pagina": str(page)})

    def save(self, day: date, fields: Annotated[Mapping[str, str], Depends(form_fields)]) -> Response:
        """Store a note unless it changed since the form was loaded."""
        back, text = _back(fields), rows.clean_note(fields.get("note", ""))
        problem = self._problem(day, text, fields)
        if problem is None:
            return RedirectResponse(page_url(trend.ADDRESS, f"d{day}", **back), HTTPStatus.SEE_OTHER)
        with self.renderer.snapshot() as snapshot:
            return self._form(snapshot, day, back, problem)

    def _problem(self, day: date, text: str, fields: Mapping[str, str]) -> "Problem | None":
        """Store the note; return why it could not be stored, else None."""
        if len(text) > rows.MAX_NOTE_LENGTH:
            message = texts.TOO_LONG.format(
                length=italian.integer(len(text)), limit=italian.integer(rows.MAX_NOTE_LENGTH)
            )
            return Problem(text, message, HTTPStatus.UNPROCESSABLE_ENTITY)
        with bounded(DATABASE_TIMEOUT_SECONDS):
            outcome = self._store(day, text, fields)
        if outcome is NoteOutcome.NO_ROW:
            raise NO_ROW
        if outcome is NoteOutcome.CHANGED_SINCE:
            return Problem(text, texts.CHANGED_MEANWHILE, HTTPStatus.CONFLICT)
        return None

    def _store(self, day: date, text: str, fields: Mapping[str, str]) -> NoteOutcome:
        """Store a note unless a person changed it since; a comment after the generated note stays a comment."""
        row = row_store.daily_row(self.context.database, day)
        if row is None:
            return NoteOutcome.NO_ROW
        if not rows.has_automatic_note(row) and rows.note_digest(row) != fields.get("seen", ""):
            return NoteOutcome.CHANGED_SINCE
        written = note_grammar.personal_text(text, (fields.get("generated"), row.get("auto_notes")))
        outcome = row_store.set_note(self.context.database, day, written, row.get("notes"), clock.now())
        if outcome is NoteOutcome.WRITTEN:
            log.info("note.edited", day=str(day), reset=not written.text)
        return outcome

    def _form(self, snapshot: Snapshot, day: date, back: Back, problem: "Problem | None" = None) -> Response:
        row = row_store.daily_row(snapshot.database, day, snapshot.session)
        if row is None:
            raise NO_ROW
        stored = str(row.get("notes") or "")[: rows.MAX_NOTE_LENGTH]
        is_conflict = problem is not None and problem.status == HTTPStatus.CONFLICT
        view = {
            "day": day,
            "back": back,
            "text": problem.text if problem else stored,
            "problem": problem.message if problem else "",
            "stored": rows.facts(stored) if is_conflict else [],
            "auto": rows.facts(row.get("auto_notes")),
            "seen": rows.note_digest(row),
            "generated": rows.clean_note(str(row.get("auto_notes") or "")),
            "limit": rows.MAX_NOTE_LENGTH,
        }
        return self.renderer.page("note.html", "", snapshot, view, problem.status if problem else HTTPStatus.OK)


class Problem(NamedTuple):
    """A note that could not be stored: its text, the reason in Italian, and the status of the response."""

    text: str
    message: str
    status: int


def _back(fields: Mapping[str, str]) -> Back:
    """Return the parameters of the table from the form's fields; invalid ones are left out."""
    period, page = fields.get("periodo", ""), fields.get("pagina", "")
    known = {"periodo": period} if period in set(trend.TrendPeriod) else {}
    is_page = page.isascii() and page.isdecimal() and 1 < int(page[:9]) <= trend.MAX_PAGE
    return {**known, **({"pagina": page} if is_page else {})}
