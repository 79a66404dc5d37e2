"""Mesi: the list of months, the letter of one, and the months as a file."""

from collections.abc import Generator
from datetime import date
from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from daemon.diagnostics.explanation import NotExplained, parsed_period
from daemon.mongo.client import bounded
from daemon.web.context import WebContext
from daemon.web.download import Download
from daemon.web.errors import RequestRejected
from daemon.web.page import addresses
from daemon.web.page.parts import letter, letter_file, months
from daemon.web.page.rendering import Renderer
from daemon.web.page.views.downloads import FIRST_BYTES_SECONDS, FileFormat
from rules.rows.periods import PeriodKind
from rules.settings import italian

VERIFICATION_SECONDS = 20.0
"""Of a letter's file; the rest of the time is for the letter."""
NOT_FOUND = RequestRejected(HTTPStatus.NOT_FOUND, "neither the table nor the ledger has a day of this month")


def router(context: WebContext) -> APIRouter:
    renderer, routes = Renderer(context), APIRouter()

    @routes.get(addresses.MONTHS)
    def show() -> Response:
        with renderer.snapshot() as snapshot:
            return renderer.page("months.html", "months", snapshot, {"months": months.lines(snapshot)})

    @routes.get(f"{addresses.MONTHS}/{{month}}")
    def show_month(month: str) -> Response:
        first = _first_day(month)
        with renderer.snapshot() as snapshot:
            found = letter.read(snapshot, first, letter.proof(context.health, snapshot))
            if found is None:
                raise NOT_FOUND
            return renderer.page("month.html", "months", snapshot, {"month": found, "is_file": False})

    @routes.get("/analytics/scarica/mesi.{format}", response_class=StreamingResponse)
    def download(format: FileFormat) -> Download:
        from daemon.export import MEDIA_TYPES, chosen_columns  # noqa: PLC0415 - loads its libraries only for an export

        with renderer.snapshot() as snapshot:
            chunks = chosen_columns(months.documents(snapshot), months.COLUMNS, format, snapshot.settings.zone)
            return Download(chunks, f"chatello-mesi-{snapshot.today}.{format}", MEDIA_TYPES[format])

    @routes.get(f"{addresses.LETTER_FILE}{{month}}.html", response_class=StreamingResponse)
    def download_letter(month: str) -> Download:
        first = _first_day(month)
        name = f"chatello-{italian.MONTHS[first.month - 1].lower()}-{first.year}.html"
        with bounded(FIRST_BYTES_SECONDS):
            return Download(_letter_file(context, first), name, "text/html; charset=utf-8")

    return routes


def _letter_file(context: WebContext, first: date) -> Generator[bytes, None, None]:
    found = letter_file.document(context, first, VERIFICATION_SECONDS)
    if found is None:
        raise NOT_FOUND
    yield found.encode()


def _first_day(month: str) -> date:
    try:
        period = parsed_period(month)
    except NotExplained:
        period = None
    if period is None or period.kind is not PeriodKind.MONTHLY:
        raise RequestRejected(HTTPStatus.NOT_FOUND, "not a month; use YYYY-MM")
    return period.first
