"""Saving the comment of a day, and undoing it."""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import RedirectResponse

from daemon import clock
from daemon.mongo.client import bounded
from daemon.runtime import logs
from daemon.store import comments as store
from daemon.store.rows import NoteOutcome
from daemon.web.api.schemas import BusinessDay
from daemon.web.context import WebContext
from daemon.web.errors import RequestRejected
from daemon.web.page import addresses, event_texts
from daemon.web.page.environment import page_url
from daemon.web.page.forms import form_fields
from daemon.web.page.parts.comments import CommentView, Outcome
from daemon.web.page.rendering import DATABASE_TIMEOUT_SECONDS, Renderer
from daemon.web.page.views import day as day_page
from rules.rows import note_grammar
from rules.settings import italian

log = logs.get("http")

Fields = Annotated[Mapping[str, str], Depends(form_fields)]


def router(context: WebContext) -> APIRouter:
    routes = APIRouter()

    @routes.post(f"{addresses.DAYS}/{{day}}/commento")
    def save(day: BusinessDay, fields: Fields) -> Response:
        """Save the comment unless it changed since the form was loaded, or undo the last edit."""
        text, is_undo = note_grammar.cleaned(fields.get("testo", "")), "annulla" in fields
        if len(text) > note_grammar.MAX_LENGTH:
            return _again(context, day, text, _too_long(text), HTTPStatus.UNPROCESSABLE_ENTITY)
        with bounded(DATABASE_TIMEOUT_SECONDS):
            written = None if is_undo else text
            outcome = store.edit(context.database, day, written, fields.get("visto", ""), clock.now())
        if outcome is NoteOutcome.NO_ROW:
            raise RequestRejected(HTTPStatus.NOT_FOUND, "no row exists for this day")
        if outcome is NoteOutcome.CHANGED_SINCE:
            return _again(context, day, text, event_texts.COMMENT_CONFLICT, HTTPStatus.CONFLICT)
        log.info("note.edited", day=str(day), reset=not is_undo and not text)
        confirmed = _confirmed(outcome, text, is_undo=is_undo)
        return RedirectResponse(page_url(addresses.day(day), "commento", commento=confirmed), HTTPStatus.SEE_OTHER)

    return routes


def _confirmed(outcome: NoteOutcome, text: str, *, is_undo: bool) -> str:
    if outcome is NoteOutcome.KEPT:
        return Outcome.KEPT.value
    return (Outcome.RESTORED if is_undo else Outcome.SAVED if text else Outcome.DELETED).value


def _too_long(text: str) -> str:
    return event_texts.COMMENT_TOO_LONG.format(
        count=italian.integer(len(text)), limit=italian.integer(note_grammar.MAX_LENGTH)
    )


def _again(context: WebContext, day: date, text: str, problem: str, status: int) -> Response:
    """Render the day's page with the text that could not be saved; at a conflict the stored one stands beside it."""
    renderer = Renderer(context)
    with renderer.snapshot() as snapshot:
        view = day_page.view(context, snapshot, day)
        comment = view["comment"]
        if isinstance(comment, CommentView):
            stored = (comment.text or event_texts.COMMENT_NOTHING) if status == HTTPStatus.CONFLICT else ""
            view = {**view, "comment": comment._replace(text=text, problem=problem, stored=stored)}
        return renderer.page("day.html", "", snapshot, {**view, "outcome": None}, status)
