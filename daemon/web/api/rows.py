"""The analytics table: list its rows, rewrite one, edit a note, download the table."""

from collections.abc import Mapping
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.mongo.client import bounded
from daemon.mongo.types import ReadOnlyDocument
from daemon.rollup.rollup import Rollup
from daemon.runtime import logs
from daemon.store import events as events_store
from daemon.store import rows
from daemon.store.ledger import reader as ledger
from daemon.store.rows import NoteOutcome
from daemon.web.api import schemas
from daemon.web.api.schemas import (
    DATABASE_SECONDS,
    PREFIX,
    WRITE_SECURITY,
    Day,
    ErrorResponse,
    PagedResponse,
    Strict,
    SuccessResponse,
)
from daemon.web.context import WebContext
from daemon.web.download import Download
from daemon.web.errors import RequestRejected
from daemon.web.json_body import StrictRoute
from rules import business_days
from rules.revenue.rates import Rates
from rules.rows import note_grammar
from rules.rows.periods import PeriodKind
from rules.text import one_line

log = logs.get("http")

WRITE_SECONDS = 60.0
"""Timeout of a rewrite and of an export: a day may have very many movements."""
MAX_ROWS = 1000

Note = Annotated[str, StringConstraints(max_length=note_grammar.MAX_LENGTH)]


class NewRow(Strict):
    """A day whose row is to be rewritten."""

    date: Annotated[Day, Field(strict=False)] | None = Field(None, description="Today by default.")
    notes: Note | None = Field(None, description="Manual note; the automatic note is kept in `auto_notes`.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"date": "2026-11-23", "notes": "Lancio Founders Deal"}]})


class NewNote(Strict):
    """The manual note of a day; an empty one restores the automatic note."""

    date: Annotated[Day, Field(strict=False)]
    notes: Note

    model_config = ConfigDict(json_schema_extra={"examples": [{"date": "2026-11-23", "notes": "Fiera di Milano"}]})


class RowPlanRevenue(BaseModel):
    revenue: float | None
    count: int | None


RATE = "A share; null if it is not known. `/api/explain` has its numerator and denominator."


class HistoricalRow(BaseModel):
    """A row of the analytics table. Amounts are in euros."""

    id: str
    date: str | None = Field(examples=["2026-11-23"])
    period_type: str | None
    total_customers: int | None
    paying_customers: int | None
    mrr: float | None
    arr: float | None
    new_customers: int | None
    churned_customers: int | None
    active_licenses: int | None
    subscribers: int | None = Field(description="Customers with MRR.")
    reactivated_customers: int | None
    one_time_revenue: float | None
    arpa: float | None = Field(description="MRR per subscriber.")
    customer_churn_rate: float | None = Field(description=RATE)
    revenue_churn_rate: float | None = Field(description=RATE)
    net_revenue_retention: float | None = Field(description=RATE)
    quick_ratio: float | None = Field(description="MRR won per MRR lost; null if none was lost.")
    rates_days: int | None = Field(description="Number of days that the rates cover.")
    revenue_by_plan: dict[str, RowPlanRevenue]
    notes: str | None
    auto_notes: str | None
    final: bool
    revision: int
    updated_at: str | None


COUNTS = (
    *("total_customers", "paying_customers", "active_licenses", "subscribers"),
    *("new_customers", "churned_customers", "reactivated_customers", "rates_days"),
)
NUMBERS = ("mrr", "arr", "one_time_revenue", "arpa", *Rates._fields)


class RowSaved(SuccessResponse):
    record_id: str
    data: HistoricalRow
    events_processed: int
    auto_notes: str


class NoteStored(SuccessResponse):
    message: str
    notes: str | None


class RowsResponse(PagedResponse):
    rows: list[HistoricalRow]
    total: int = Field(description="Number of rows in this response.")


NOTE_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorResponse, "description": "No row exists for this day."},
    409: {"model": ErrorResponse, "description": "The note was changed at the same time by another request."},
}
SAVE_ERRORS: dict[int | str, dict[str, Any]] = {
    409: {
        "model": ErrorResponse,
        "description": "The day is in the future or before the ledger, or its note was changed at the same time.",
    }
}
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
                "schema": {"type": "string", "format": "binary"}
            },
        },
    }
}
FORMATS = {"csv": "csv", "excel": "xlsx"}

From = Annotated[Day | None, Query(alias="from", description="The first day; 30 days before `to` by default.")]
To = Annotated[Day | None, Query(alias="to", description="The last day; today by default.")]


def router(context: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["table"], route_class=StrictRoute)

    @routes.post("/save_daily_analytics", dependencies=WRITE_SECURITY, responses=SAVE_ERRORS)
    def save_daily_analytics(row: NewRow) -> RowSaved:
        """Rewrite the row of a day from the current ledger and events."""
        with bounded(WRITE_SECONDS):
            return save_row(context, row.date, row.notes)

    @routes.post("/update_historical_notes", dependencies=WRITE_SECURITY, responses=NOTE_ERRORS)
    def update_historical_notes(note: NewNote) -> NoteStored:
        """Set the manual note of a day; the daemon keeps it when it rewrites the row."""
        with bounded(DATABASE_SECONDS):
            notes = write_note(context, note.date, note.notes)
            return NoteStored(message=f"Notes updated for {note.date}", notes=notes)

    @routes.get("/get_historical_data")
    def get_historical_data(
        first: From = None,
        last: To = None,
        period_type: PeriodKind = PeriodKind.DAILY,
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 400,
        cursor: Annotated[Day | None, Query(description="The `next_cursor` of the previous response.")] = None,
    ) -> RowsResponse:
        """List the rows of a range of days, newest first."""
        first, last = day_range(context, first, last)
        with bounded(DATABASE_SECONDS):
            found = rows.newest(context.database, period_type, first, min(last, cursor or last), limit + 1)
        shown = [historical_row(row) for row in found[:limit]]
        after = schemas.date_text(found[limit]["date"]) if len(found) > limit else None
        return RowsResponse(rows=shown, total=len(shown), next_cursor=after)

    @routes.get("/export_historical_data", responses=FILES, response_class=StreamingResponse)
    def export_historical_data(
        format: Literal["csv", "excel"] = "csv",
        first: Annotated[Day | None, Query(alias="from", description="The first day; the oldest by default.")] = None,
        last: Annotated[Day | None, Query(alias="to", description="The last day; the newest by default.")] = None,
    ) -> Download:
        """Download the analytics table. The CSV opens correctly in an Italian Excel by a double click."""
        from daemon.export import MEDIA_TYPES, Export  # noqa: PLC0415 - loads its libraries only for an export

        last = None if last == date.max else last  # the export computes the day after it
        export = Export(context.database, "rows", first, last, context.config().time.zone)
        kind = FORMATS[format]
        with bounded(WRITE_SECONDS):
            return Download(export.chunks(kind), export.file_name(kind), MEDIA_TYPES[kind])

    return routes


def day_range(context: WebContext, first: date | None, last: date | None) -> tuple[date, date]:
    """Return the requested first and last day; by default 30 days up to `last`, and `last` today."""
    last = last or business_days.business_day(clock.now(), context.config().time.zone)
    return first or max(last, date.min + timedelta(30)) - timedelta(29), last


def save_row(context: WebContext, day: date | None, notes: str | None) -> RowSaved:
    """Write the row, and the note if one is given. Raises RequestRejected for a day that cannot be computed."""
    config = context.config()
    rollup = Rollup(context.database, ActiveConfig(config))
    now = rollup.now()
    today = business_days.business_day(now, config.time.zone)
    day = day or today
    _require_ledger_day(context, day, today)
    rollup.write(day, final=day <= rollup.last_closed(now))
    if notes is not None:
        write_note(context, day, notes)
    [row] = rows.read(context.database, day, day)
    start, end = (business_days.start(one, config.time.zone) for one in (day, day + business_days.ONE_DAY))
    return RowSaved(
        record_id=str(row["_id"]),
        data=historical_row(row),
        events_processed=events_store.count_between(context.database, start, end),
        auto_notes=row["auto_notes"],
    )


def _require_ledger_day(context: WebContext, day: date, today: date) -> None:
    if day > today:
        raise RequestRejected(HTTPStatus.CONFLICT, "the day is in the future")
    first = ledger.first_day(context.database)
    if first is None or day < first:
        message = "the ledger starts after this day; run `chatello-analytics backfill` to write earlier rows"
        raise RequestRejected(HTTPStatus.CONFLICT, message)


def write_note(context: WebContext, day: date, notes: str) -> str | None:
    """Set the manual note of a row; return its note afterwards. Raises RequestRejected (404, 409)."""
    row = rows.daily_row(context.database, day) or {}
    text = note_grammar.personal_text(note_grammar.cleaned(notes), [row.get("auto_notes")])
    outcome = rows.set_note(context.database, day, text, row.get("notes"), clock.now())
    if outcome is NoteOutcome.NO_ROW:
        raise RequestRejected(HTTPStatus.NOT_FOUND, "Record not found: no row for this day; use save_daily_analytics")
    if outcome is NoteOutcome.CHANGED_SINCE:
        raise RequestRejected(
            HTTPStatus.CONFLICT, "the note was changed at the same time by another request; reload it and try again"
        )
    log.info("note.edited", day=str(day), reset=not note_grammar.cleaned(notes))
    return _lines((rows.daily_row(context.database, day) or {}).get("notes"))


def historical_row(row: ReadOnlyDocument) -> HistoricalRow:
    counts: dict[str, Any] = {name: schemas.integer(row.get(name)) for name in COUNTS}
    numbers: dict[str, Any] = {name: schemas.number(row.get(name)) for name in NUMBERS}
    return HistoricalRow(
        id=schemas.identity(row.get("_id")) or "",
        date=schemas.date_text(row.get("date")),
        period_type=schemas.text(row.get("period_type"), 20),
        **counts,
        **numbers,
        revenue_by_plan=_plans(row.get("revenue_by_plan")),
        notes=_lines(row.get("notes")),
        auto_notes=_lines(row.get("auto_notes")),
        final=row.get("final") is True,
        revision=schemas.integer(row.get("revision")) or 0,
        updated_at=schemas.datetime_text(row.get("updated_at")),
    )


def _plans(value: Any) -> dict[str, RowPlanRevenue]:
    known = value if isinstance(value, Mapping) else {}
    return {one_line(name, 100): _plan(plan) for name, plan in known.items()}


def _plan(plan: Any) -> RowPlanRevenue:
    known = plan if isinstance(plan, Mapping) else {}
    return RowPlanRevenue(revenue=schemas.number(known.get("revenue")), count=schemas.integer(known.get("count")))


def _lines(value: Any) -> str | None:
    return note_grammar.cleaned(value[: 2 * note_grammar.MAX_LENGTH]) if isinstance(value, str) else None
