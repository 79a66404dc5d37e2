"""The page `/analytics`: how the business stands, in Italian, for the owner's morning.

Made whole on the server: it reads and edits without JavaScript; with it, it keeps itself up to date. Templates escape
everything; the only markup from elsewhere are the charts, made of dates and numbers.
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
from daemon.store import table
from daemon.store.table import Noted
from daemon.web.context import WebContext
from daemon.web.page import assets, rows, texts
from daemon.web.page.view import PageData, ViewRequest

View = Mapping[str, object]

HERE = Path(__file__).parent
MOST_FIELDS = 8
PATIENCE_SECONDS = 5.0
"""How long a reader waits for the database before the page says that it does not answer."""

log = logs.get("http")


def router(house: WebContext) -> APIRouter:
    """The routes of the page; who may see and write is decided in front of them (`gate`)."""
    page, routes = Page(house), APIRouter(include_in_schema=False)
    routes.add_api_route("/", lambda: RedirectResponse("/analytics"))
    routes.add_api_route("/analytics", page.whole)
    routes.add_api_route("/analytics/live", page.live)
    routes.add_api_route("/analytics/notes/{day}", page.form)
    routes.add_api_route("/analytics/notes/{day}", page.edit, methods=["POST"])
    return routes


def templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["words"] = texts
    environment.globals["assets"] = {name: assets.address(name) for name in ("page.css", "page.js", "icon.svg")}
    return environment


async def sent(request: Request) -> Mapping[str, str]:
    """The fields of a form as a browser without JavaScript posts it; of a repeated one the last."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


class Page:
    """The page of one house."""

    def __init__(self, house: WebContext) -> None:
        self.house = house
        self.desk = PageData(house)
        self.templates = templates()

    def whole(self, request: Request) -> Response:
        wanted = ViewRequest.of(request.query_params)
        try:
            with bounded(PATIENCE_SECONDS):
                view = self.desk.whole(wanted)
        except ChatelloError as problem:
            return self._trouble(request, problem)
        return self._shown("analytics.html", {**view, **self._common(wanted)})

    def live(self, request: Request) -> Response:
        """The parts that change while one looks, for the page's script."""
        try:
            with bounded(PATIENCE_SECONDS):
                view = self.desk.live()
        except ChatelloError as problem:
            return self._trouble(request, problem)
        return self._shown("live.html", {**view, **self._common(ViewRequest.of(request.query_params))})

    def form(self, request: Request, day: str) -> Response:
        """The form for one day's note; the page's script puts it into the table."""
        try:
            with bounded(PATIENCE_SECONDS):
                return self._form(day, ViewRequest.of(request.query_params))
        except ChatelloError as problem:
            return self._trouble(request, problem)

    def edit(self, request: Request, day: str, fields: Annotated[Mapping[str, str], Depends(sent)]) -> Response:
        """Take a note in, unless the one it replaces is not the one its writer saw."""
        try:
            with bounded(PATIENCE_SECONDS):
                return self._edited(day, fields)
        except ChatelloError as problem:
            return self._trouble(request, problem)

    def _edited(self, day: str, fields: Mapping[str, str]) -> Response:
        wanted, text = ViewRequest.of(fields), rows.writable(fields.get("note", ""))
        if len(text) > rows.LONGEST_NOTE:
            problem = texts.TOO_LONG.format(limit=texts.integer(rows.LONGEST_NOTE))
            return self._form(day, wanted, text, problem, HTTPStatus.UNPROCESSABLE_ENTITY)
        outcome = self._note(day, text, fields.get("seen", ""))
        if outcome is Noted.CHANGED_MEANWHILE:
            return self._form(day, wanted, text, texts.CHANGED_MEANWHILE, HTTPStatus.CONFLICT)
        if outcome is Noted.NO_ROW:
            return self._message(texts.NO_ROW, HTTPStatus.NOT_FOUND)
        return RedirectResponse(address(wanted, f"d{date.fromisoformat(day)}"), HTTPStatus.SEE_OTHER)

    def _note(self, day: str, text: str, seen: str) -> Noted:
        known = _day(day)
        row = table.one(self.house.database, known) if known else None
        if known is None or row is None:
            return Noted.NO_ROW
        if not rows.is_ours(row) and rows.mark(row) != seen:
            return Noted.CHANGED_MEANWHILE
        outcome = table.note(self.house.database, known, text, row.get("notes"), clock.now())
        if outcome is Noted.WRITTEN:
            log.info("note.edited", day=day, reset=not text)
        return outcome

    def _form(
        self, day: str, wanted: ViewRequest, text: str | None = None, problem: str = "", status: int = HTTPStatus.OK
    ) -> Response:
        known = _day(day)
        row = table.one(self.house.database, known) if known else None
        if known is None or row is None:
            return self._message(texts.NO_ROW, HTTPStatus.NOT_FOUND)
        stored = str(row.get("notes") or "")[: rows.LONGEST_NOTE]
        view = {
            "day": known.isoformat(),
            "day_text": texts.day(known),
            "text": stored if text is None else text,
            "stored": rows.facts(stored),
            "auto": rows.facts(row.get("auto_notes")),
            "seen": rows.mark(row),
            "limit": rows.LONGEST_NOTE,
            "problem": problem,
        }
        return self._shown("note.html", {**view, **self._common(wanted)}, status)

    def _common(self, wanted: ViewRequest) -> View:
        return {
            "wanted": wanted,
            "address": address,
            "query": urlencode({"period": wanted.period, "page": wanted.page}),
            "may_edit": bool(self.house.config().http.token.get_secret_value()),
        }

    def _trouble(self, request: Request, problem: ChatelloError) -> Response:
        log.warning("request.unavailable", route=request.scope["route"].path, problem=str(problem))
        view = {
            "problem": str(problem),
            "role": texts.ROLES.get(self.house.progress.role, texts.ROLE_UNKNOWN),
            "cure": texts.ROLE_CURES["retrying"],
        }
        return self._shown("trouble.html", view, HTTPStatus.SERVICE_UNAVAILABLE)

    def _message(self, text: str, status: int) -> Response:
        return self._shown("message.html", {"text": text}, status)

    def _shown(self, template: str, view: View, status: int = HTTPStatus.OK) -> Response:
        return HTMLResponse(self.templates.get_template(template).render(view), status)


def address(wanted: ViewRequest, anchor: str = "", *, page: int | None = None, period: str | None = None) -> str:
    """Where the page shows these rows; another period begins at its first page."""
    number = page or (1 if period else wanted.page)
    query = {"period": period or wanted.period, **({"page": number} if number > 1 else {})}
    return f"/analytics?{urlencode(query)}{'#' + anchor if anchor else ''}"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
