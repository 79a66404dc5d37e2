"""The table of days as a file: the rows of the period with the columns of the page, for a spreadsheet in Italian."""

from collections.abc import Iterator
from enum import StrEnum

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from daemon.mongo.client import bounded
from daemon.mongo.types import ReadOnlyDocument
from daemon.store import rows as row_store
from daemon.web.context import WebContext
from daemon.web.download import Download
from daemon.web.page.parts import rows
from daemon.web.page.rendering import Renderer
from daemon.web.page.snapshot import Snapshot
from daemon.web.page.views import trend
from rules.rows.periods import PeriodKind
from rules.settings import italian

COLUMNS = ("date", "total_customers", "paying_customers", "mrr", "notes")
FIRST_BYTES_SECONDS = 30.0


class FileFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"


def router(context: WebContext) -> APIRouter:
    renderer, routes = Renderer(context), APIRouter()

    @routes.get("/analytics/scarica/giorni.{format}", response_class=StreamingResponse)
    def days(format: FileFormat, period: trend.Period = trend.TrendPeriod.ALL) -> Download:
        return _download(renderer, period, format)

    return routes


def _download(renderer: Renderer, period: trend.TrendPeriod, format: FileFormat) -> Download:
    from daemon.export import MEDIA_TYPES, chosen_columns  # noqa: PLC0415 - loads its libraries only for an export

    with renderer.snapshot() as snapshot:
        pass  # the totals are read; the rows follow while the file is sent
    chunks = chosen_columns(_documents(snapshot, period), COLUMNS, format, snapshot.settings.zone)
    with bounded(FIRST_BYTES_SECONDS):
        return Download(chunks, f"chatello-giorni-{snapshot.today}.{format}", MEDIA_TYPES[format])


def _documents(snapshot: Snapshot, period: trend.TrendPeriod) -> Iterator[ReadOnlyDocument]:
    """Yield the rows of the days as the page shows them."""
    for row in row_store.each(snapshot.database, PeriodKind.DAILY, trend.first_day(period, snapshot.today)):
        notes = row.get("notes")
        shown = italian.with_readers_euros(notes) if isinstance(notes, str) else notes
        yield {**rows.with_totals(row, snapshot), "notes": shown}
