"""Mesi: the list of months, the letter of one, and the months as a file."""

from datetime import date, datetime
from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from daemon.diagnostics.explanation import NotExplained, parsed_period
from daemon.runtime.health import Health, Instant
from daemon.web.context import WebContext
from daemon.web.download import Download
from daemon.web.errors import RequestRejected
from daemon.web.page import addresses, texts
from daemon.web.page.parts import letter, months
from daemon.web.page.rendering import Renderer
from daemon.web.page.snapshot import Snapshot
from daemon.web.page.views.downloads import FileFormat
from rules.rows.periods import PeriodKind
from rules.settings import italian, letter_texts


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
            found = letter.read(snapshot, first, proof(context.health, snapshot))
            if found is None:
                raise RequestRejected(HTTPStatus.NOT_FOUND, f"there is nothing about the month {month}")
            return renderer.page("month.html", "months", snapshot, {"month": found, "is_file": False})

    @routes.get("/analytics/scarica/mesi.{format}", response_class=StreamingResponse)
    def download(format: FileFormat) -> Download:
        from daemon.export import MEDIA_TYPES, chosen_columns  # noqa: PLC0415 - loads its libraries only for an export

        with renderer.snapshot() as snapshot:
            chunks = chosen_columns(months.documents(snapshot), months.COLUMNS, format, snapshot.settings.zone)
            return Download(chunks, f"chatello-mesi-{snapshot.today}.{format}", MEDIA_TYPES[format])

    return routes


def _first_day(month: str) -> date:
    try:
        period = parsed_period(month)
    except NotExplained:
        period = None
    if period is None or period.kind is not PeriodKind.MONTHLY:
        raise RequestRejected(HTTPStatus.NOT_FOUND, "not a month; use YYYY-MM")
    return period.first


def proof(health: Health, snapshot: Snapshot) -> str:
    """Return the outcome of the last verification by this process."""
    if health.mismatches:
        return italian.plural(letter_texts.PROOF_FAILED, health.mismatches)
    if not health.at(Instant.VERIFICATION):
        return letter_texts.PROOF_MISSING
    at = datetime.fromtimestamp(health.at(Instant.VERIFICATION), snapshot.settings.zone)
    return letter_texts.PROOF.format(il_moment=texts.day_and_time(italian.IL, at, snapshot.local_now))
