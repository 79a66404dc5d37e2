"""The page `/analytics`, in Italian, for the owner of the business.

Rendered on the server: it works without JavaScript, which only keeps it up to date. Templates escape everything except
the charts, which consist of dates and numbers.
"""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlencode

import jinja2
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from daemon import clock
from daemon.errors import ChatelloError
from daemon.mongo.client import bounded
from daemon.runtime import logs
from daemon.store import rows as row_store
from daemon.store.rows import NoteOutcome
from daemon.web.context import WebContext
from daemon.web.errors import log_unavailable
from daemon.web.page import assets, rows, status, texts
from daemon.web.page.view import PageData, ViewRequest
from rules.rows import note_grammar
from rules.settings import italian

View = Mapping[str, object]

HERE = Path(__file__).parent
MAX_FIELDS = 8
DATABASE_TIMEOUT_SECONDS = 5.0
"""After so long the page reports that the database does not respond."""

log = logs.get("http")


def router(context: WebContext) -> APIRouter:
    """Return the routes of the page; `AccessControl` decides who may read and write."""
    page, routes = AnalyticsPage(context), APIRouter(include_in_schema=False)
    routes.add_api_route("/", lambda: RedirectResponse("/analytics"))
    routes.add_api_route("/analytics", page.show)
    routes.add_api_route("/analytics/live", page.show_live)
    routes.add_api_route("/analytics/notes/{day}", page.show_form)
    routes.add_api_route("/analytics/notes/{day}", page.edit_note, methods=["POST"])
    return routes


def templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["texts"] = texts
    environment.globals["italian"] = italian
    environment.globals["assets"] = {name: assets.asset_url(name) for name in ("page.css", "page.js", "icon.svg")}
    return environment


async def form_fields(request: Request) -> Mapping[str, str]:
    """Return the fields of a URL-encoded form; of a repeated field the last value."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


class AnalyticsPage:
    def __init__(self, context: WebContext) -> None:
        self.context = context
        self.data = PageData(context)
        self.templates = templates()

    def show(self, request: Request) -> Response:
        view_request = ViewRequest.of(request.query_params)
        try:
            with bounded(DATABASE_TIMEOUT_SECONDS):
                view = self.data.full_view(view_request)
        except ChatelloError as problem:
            return self._database_down(request, problem)
        return self._render("analytics.html", {**view, **self._common(view_request)})

    def show_live(self, request: Request) -> Response:
        """Render the live parts, for the page's script."""
        try:
            with bounded(DATABASE_TIMEOUT_SECONDS):
                view = self.data.live_view()
        except ChatelloError as problem:
            return self._database_down(request, problem)
        return self._render("live.html", {**view, **self._common(ViewRequest.of(request.query_params))})

    def show_form(self, request: Request, day: str) -> Response:
        """Render the form for one day's note; the page's script inserts it into the table."""
        try:
            with bounded(DATABASE_TIMEOUT_SECONDS):
                return self._note_form(day, ViewRequest.of(request.query_params))
        except ChatelloError as problem:
            return self._database_down(request, problem)

    def edit_note(
        self, request: Request, day: str, fields: Annotated[Mapping[str, str], Depends(form_fields)]
    ) -> Response:
        """Store a note unless it changed since the form was loaded."""
        try:
            with bounded(DATABASE_TIMEOUT_SECONDS):
                return self._save_note(day, fields)
        except ChatelloError as problem:
            return self._database_down(request, problem)

    def _save_note(self, day: str, fields: Mapping[str, str]) -> Response:
        view_request, text = ViewRequest.of(fields), rows.clean_note(fields.get("note", ""))
        if len(text) > rows.MAX_NOTE_LENGTH:
            problem = texts.TOO_LONG.format(limit=italian.integer(rows.MAX_NOTE_LENGTH))
            return self._note_form(day, view_request, text, problem, HTTPStatus.UNPROCESSABLE_ENTITY)
        outcome = self._store_note(day, text, fields)
        if outcome is NoteOutcome.CHANGED_SINCE:
            return self._note_form(day, view_request, text, texts.CHANGED_MEANWHILE, HTTPStatus.CONFLICT)
        if outcome is NoteOutcome.NO_ROW:
            return self._message(texts.NO_ROW, HTTPStatus.NOT_FOUND)
        return RedirectResponse(page_url(view_request, f"d{date.fromisoformat(day)}"), HTTPStatus.SEE_OTHER)

    def _store_note(self, day: str, text: str, fields: Mapping[str, str]) -> NoteOutcome:
        """Store a note unless a person changed it since; a comment after the generated note stays a comment."""
        date_of_note = _parse_day(day)
        row = row_store.daily_row(self.context.database, date_of_note) if date_of_note else None
        if date_of_note is None or row is None:
            return NoteOutcome.NO_ROW
        if not rows.has_automatic_note(row) and rows.note_digest(row) != fields.get("seen", ""):
            return NoteOutcome.CHANGED_SINCE
        written = note_grammar.personal_text(text, (fields.get("generated"), row.get("auto_notes")))
        outcome = row_store.set_note(self.context.database, date_of_note, written, row.get("notes"), clock.now())
        if outcome is NoteOutcome.WRITTEN:
            log.info("note.edited", day=day, reset=not written.text)
        return outcome

    def _note_form(
        self,
        day: str,
        view_request: ViewRequest,
        text: str | None = None,
        problem: str = "",
        status: int = HTTPStatus.OK,
    ) -> Response:
        date_of_note = _parse_day(day)
        row = row_store.daily_row(self.context.database, date_of_note) if date_of_note else None
        if date_of_note is None or row is None:
            return self._message(texts.NO_ROW, HTTPStatus.NOT_FOUND)
        stored = str(row.get("notes") or "")[: rows.MAX_NOTE_LENGTH]
        view = {
            "day": date_of_note.isoformat(),
            "day_text": texts.day(date_of_note),
            "text": stored if text is None else text,
            "stored": rows.facts(stored),
            "auto": rows.facts(row.get("auto_notes")),
            "seen": rows.note_digest(row),
            "generated": rows.clean_note(str(row.get("auto_notes") or "")),
            "limit": rows.MAX_NOTE_LENGTH,
            "problem": problem,
        }
        return self._render("note.html", {**view, **self._common(view_request)}, status)

    def _common(self, view_request: ViewRequest) -> View:
        return {
            "view_request": view_request,
            "page_url": page_url,
            "query": urlencode({"period": view_request.period, "page": view_request.page}),
            "may_edit": bool(self.context.config().http.token.get_secret_value()),
        }

    def _database_down(self, request: Request, problem: ChatelloError) -> Response:
        log_unavailable(request, problem)
        view = {
            "problem": str(problem),
            "role": status.role_text(self.context.health),
            "hint": texts.ROLE_HINTS["retrying"],
        }
        return self._render("database_down.html", view, HTTPStatus.SERVICE_UNAVAILABLE)

    def _message(self, text: str, status: int) -> Response:
        return self._render("message.html", {"text": text}, status)

    def _render(self, template: str, view: View, status: int = HTTPStatus.OK) -> Response:
        return HTMLResponse(self.templates.get_template(template).render(view), status)


def page_url(view_request: ViewRequest, anchor: str = "", *, page: int | None = None, period: str | None = None) -> str:
    """Return the URL that shows these rows; a changed period starts at its first page."""
    number = page or (1 if period else view_request.page)
    query = {"period": period or view_request.period, **({"page": number} if number > 1 else {})}
    return f"/analytics?{urlencode(query)}{'#' + anchor if anchor else ''}"


def _parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
