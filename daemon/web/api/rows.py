"""The analytics table: its rows, writing a day's row anew, the note a person writes, and the table as a file."""

from collections.abc import Mapping
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from daemon import clock
from daemon.mongo.client import bounded
from daemon.mongo.types import ReadOnlyDocument
from daemon.rollup.rollup import Rollup
from daemon.runtime import logs
from daemon.store import events as events_store
from daemon.store import rows, table
from daemon.store.ledger import reader as ledger
from daemon.store.table import Noted
from daemon.web.api import schemas
from daemon.web.api.schemas import PREFIX, SECONDS, WRITING, Answer, Day, Page, Refused, Strict
from daemon.web.context import WebContext
from daemon.web.download import Download
from daemon.web.errors import Refusal
from daemon.web.json_body import StrictRoute
from daemon.web.page.rows import LONGEST_NOTE, writable
from rules import business_days
from rules.rows.periods import Kind
from rules.text import one_line

log = logs.get("http")

WRITE_SECONDS = 60.0
"""A row of a day with very many movements takes its time."""
MOST = 1000

Note = Annotated[str, StringConstraints(max_length=LONGEST_NOTE)]


class NewRow(Strict):
    """A day whose row is to be written now."""

    date: Annotated[Day, Field(strict=False)] | None = Field(None, description="Today by default.")
    notes: Note | None = Field(None, description="Text of a person; the automatic note is kept beside it.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"date": "2026-11-23", "notes": "Lancio Founders Deal"}]})


class NewNote(Strict):
    """A person's note for a day; an empty one gives the note back to the daemon."""

    date: Annotated[Day, Field(strict=False)]
    notes: Note

    model_config = ConfigDict(json_schema_extra={"examples": [{"date": "2026-11-23", "notes": "Fiera di Milano"}]})


class PlanRevenue(BaseModel):
    revenue: float | None
    count: int | None


class Row(BaseModel):
    """A row of the analytics table. `mrr` and what else is money is in euros."""

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
    one_time_revenue: float | None
    revenue_by_plan: dict[str, PlanRevenue]
    notes: str | None
    auto_notes: str | None
    final: bool
    revision: int
    updated_at: str | None


COUNTS = ("total_customers", "paying_customers", "active_licenses", "new_customers", "churned_customers")
MONEY = ("mrr", "arr", "one_time_revenue")


class Saved(Answer):
    record_id: str
    data: Row
    events_processed: int
    auto_notes: str


class Stored(Answer):
    message: str
    notes: str | None


class Rows(Page):
    rows: list[Row]
    total: int = Field(description="How many this answer holds.")


UNKNOWN_DAY: dict[int | str, dict[str, Any]] = {
    404: {"model": Refused, "description": "There is no row of this day."},
    409: {"model": Refused, "description": "Somebody else changed the note at the same moment."},
}
NO_SUCH_DAY: dict[int | str, dict[str, Any]] = {
    409: {"model": Refused, "description": "The day is still to come, the ledger begins after it, or its note changed."}
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


def router(house: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["table"], route_class=StrictRoute)

    @routes.post("/save_daily_analytics", dependencies=WRITING, responses=NO_SUCH_DAY)
    def save_daily_analytics(row: NewRow) -> Saved:
        """Write the row of a day anew, from the ledger and the events as they are now."""
        with bounded(WRITE_SECONDS):
            return save(house, row.date, row.notes)

    @routes.post("/update_historical_notes", dependencies=WRITING, responses=UNKNOWN_DAY)
    def update_historical_notes(note: NewNote) -> Stored:
        """Put a person's note into the row of a day, where it stays whatever the daemon writes."""
        with bounded(SECONDS):
            return Stored(message="note stored", notes=written(house, note.date, note.notes))

    @routes.get("/get_historical_data")
    def get_historical_data(
        first: From = None,
        last: To = None,
        period_type: Kind = Kind.DAILY,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 400,
        cursor: Annotated[Day | None, Query(description="The `next_cursor` of an answer.")] = None,
    ) -> Rows:
        """The rows of a stretch of days, newest first."""
        first, last = stretch(house, first, last)
        with bounded(SECONDS):
            found = rows.newest(house.database, period_type, first, min(last, cursor or last), limit + 1)
        shown = [shape(row) for row in found[:limit]]
        after = schemas.day(found[limit]["date"]) if len(found) > limit else None
        return Rows(rows=shown, total=len(shown), next_cursor=after)

    @routes.get("/export_historical_data", responses=FILES, response_class=StreamingResponse)
    def export_historical_data(
        format: Literal["csv", "excel"] = "csv",
        first: Annotated[Day | None, Query(alias="from", description="The first day; the oldest by default.")] = None,
        last: Annotated[Day | None, Query(alias="to", description="The last day; the newest by default.")] = None,
    ) -> Download:
        """The analytics table as a file; the CSV opens by a double click in an Italian Excel."""
        from daemon.export import MEDIA_TYPES, Export  # noqa: PLC0415 - its libraries are for who exports only

        last = None if last == date.max else last  # there is no day after it
        wanted = Export(house.database, "rows", first, last, house.config().time.zone)
        kind = FORMATS[format]
        with bounded(WRITE_SECONDS):
            return Download(wanted.chunks(kind), wanted.file_name(kind), MEDIA_TYPES[kind])

    return routes


def stretch(house: WebContext, first: date | None, last: date | None) -> tuple[date, date]:
    """The days asked for; the last 30 where nothing is said."""
    last = last or business_days.business_day(clock.now(), house.config().time.zone)
    return first or max(last, date.min + timedelta(30)) - timedelta(29), last


def save(house: WebContext, day: date | None, notes: str | None) -> Saved:
    """Write the row and what a person says of the day. Raises Refusal for a day that cannot be computed."""
    config = house.config()
    nightly = Rollup(house.database, config)
    now = nightly.now()
    today = business_days.business_day(now, config.time.zone)
    day = day or today
    _require_computable(house, day, today)
    nightly.write(day, final=day <= nightly.last_closed(now))
    if notes is not None:
        written(house, day, notes)
    [row] = rows.read(house.database, day, day)
    start, end = (business_days.start(one, config.time.zone) for one in (day, day + business_days.ONE_DAY))
    return Saved(
        record_id=str(row["_id"]),
        data=shape(row),
        events_processed=events_store.count_between(house.database, start, end),
        auto_notes=row["auto_notes"],
    )


def _require_computable(house: WebContext, day: date, today: date) -> None:
    if day > today:
        raise Refusal(HTTPStatus.CONFLICT, "this day is still to come")
    first = ledger.first_day(house.database)
    if first is None or day < first:
        sentence = "the ledger begins after this day: `chatello-analytics backfill` writes the rows before it"
        raise Refusal(HTTPStatus.CONFLICT, sentence)


def written(house: WebContext, day: date, notes: str) -> str | None:
    """Put a person's note into a row, where no other one appeared meanwhile; the note that then stands there."""
    row = table.one(house.database, day)
    outcome = table.note(house.database, day, writable(notes), (row or {}).get("notes"), clock.now())
    if outcome is Noted.NO_ROW:
        raise Refusal(HTTPStatus.NOT_FOUND, "there is no row of this day; save_daily_analytics writes one")
    if outcome is Noted.CHANGED_MEANWHILE:
        raise Refusal(HTTPStatus.CONFLICT, "somebody else changed this note at the same moment; look, and try again")
    log.info("note.edited", day=str(day), reset=not writable(notes))
    return _lines((table.one(house.database, day) or {}).get("notes"))


def shape(row: ReadOnlyDocument) -> Row:
    counts: dict[str, Any] = {name: schemas.integer(row.get(name)) for name in COUNTS}
    money: dict[str, Any] = {name: schemas.number(row.get(name)) for name in MONEY}
    return Row(
        id=schemas.identity(row.get("_id")) or "",
        date=schemas.day(row.get("date")),
        period_type=schemas.text(row.get("period_type"), 20),
        **counts,
        **money,
        revenue_by_plan=_plans(row.get("revenue_by_plan")),
        notes=_lines(row.get("notes")),
        auto_notes=_lines(row.get("auto_notes")),
        final=row.get("final") is True,
        revision=schemas.integer(row.get("revision")) or 0,
        updated_at=schemas.moment(row.get("updated_at")),
    )


def _plans(value: Any) -> dict[str, PlanRevenue]:
    known = value if isinstance(value, Mapping) else {}
    return {one_line(name, 100): _plan(plan) for name, plan in known.items()}


def _plan(plan: Any) -> PlanRevenue:
    known = plan if isinstance(plan, Mapping) else {}
    return PlanRevenue(revenue=schemas.number(known.get("revenue")), count=schemas.integer(known.get("count")))


def _lines(value: Any) -> str | None:
    return writable(value[: 2 * LONGEST_NOTE]) if isinstance(value, str) else None
