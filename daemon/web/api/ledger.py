"""The ledger: the current totals and the movements they result from."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from daemon.errors import Unavailable
from daemon.mongo.client import bounded
from daemon.mongo.types import ReadOnlyDocument
from daemon.store import checkpoint as checkpoints
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from daemon.web.api import schemas
from daemon.web.api.rows import From, To, day_range
from daemon.web.api.schemas import DATABASE_SECONDS, PREFIX, PagedResponse, SuccessResponse
from daemon.web.context import WebContext
from daemon.web.json_body import StrictRoute
from rules.model.changes import DocId
from rules.model.ledger import MovementKind, Reason
from rules.model.states import PlanState
from rules.rows import row

MAX_LINES = 1000


class BusinessTotals(BaseModel):
    """Amounts are in euros."""

    total_customers: int
    paying_customers: int
    active_licenses: int
    mrr: float
    arr: float
    one_time_revenue: float = Field(description="Sum of all one-time sales.")


class LedgerPlanRevenue(BaseModel):
    revenue: float = Field(description="MRR plus one-time sales, in euros.")
    count: int = Field(description="Active licenses.")


class CurrentTotalsResponse(SuccessResponse):
    as_of: datetime = Field(description="The totals include everything written before this time.")
    totals: BusinessTotals
    revenue_by_plan: dict[str, LedgerPlanRevenue]


class MovementItem(BaseModel):
    """A ledger line; `mrr`, `one_time_revenue` and the counts are signed changes."""

    id: int
    at: datetime
    day: date
    kind: MovementKind
    reason: Reason
    customer_id: str | None
    license_id: str | None
    plan_name: str | None
    count: int = Field(
        description="1; -1 for a line that reverses an earlier one, 0 for a line that books the reversed one again."
    )
    mrr: float
    one_time_revenue: float
    customers: int
    paying_customers: int
    active_licenses: int


class MovementSum(BaseModel):
    """Sum of the movements of one kind."""

    count: int
    mrr: float


class MovementsResponse(PagedResponse):
    movements: list[MovementItem]
    total: int = Field(description="Number of movements in this response.")
    summary: dict[MovementKind, MovementSum] | None = Field(
        description="Sums over all requested days by kind; on the first page only."
    )


def router(context: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["ledger"], route_class=StrictRoute)

    @routes.get("/get_current_totals")
    def get_current_totals() -> CurrentTotalsResponse:
        """Get the totals as of the last committed change."""
        with bounded(DATABASE_SECONDS):
            checkpoint = checkpoints.load(context.database)
            if checkpoint is None or checkpoint.at is None:
                raise Unavailable("the database has no checkpoint yet: the daemon has not completed its first start")
            plans = MirrorReader(context.database, context.config().settings()).plans()
        totals = checkpoint.totals
        return CurrentTotalsResponse(
            as_of=checkpoint.at,
            totals=BusinessTotals(
                total_customers=totals.customers,
                paying_customers=totals.paying_customers,
                active_licenses=totals.active_licenses,
                mrr=totals.mrr_cents / 100,
                arr=totals.mrr_cents * 12 / 100,
                one_time_revenue=totals.one_time_cents / 100,
            ),
            revenue_by_plan={
                name: LedgerPlanRevenue.model_validate(one) for name, one in row.revenue_by_plan(totals, plans).items()
            },
        )

    @routes.get("/get_mrr_movements")
    def get_mrr_movements(
        first: From = None,
        last: To = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LINES)] = 100,
        cursor: Annotated[
            str | None, Query(pattern=r"^[0-9]{1,15}$", description="The `next_cursor` of the previous response.")
        ] = None,
    ) -> MovementsResponse:
        """List the ledger movements of a range of days, newest first."""
        days = day_range(context, first, last)
        with bounded(DATABASE_SECONDS):
            found = ledger.newest(context.database, *days, limit + 1, int(cursor) if cursor else None)
            summary = None if cursor else ledger.by_kind(context.database, *days)
            plans = MirrorReader(context.database, context.config().settings()).plans()
        return MovementsResponse(
            movements=[movement_item(line, plans) for line in found[:limit]],
            total=len(found[:limit]),
            summary=None
            if summary is None
            else {kind: MovementSum(count=n, mrr=c / 100) for kind, (n, c) in summary.items()},
            next_cursor=str(found[limit - 1]["_id"]) if len(found) > limit else None,
        )

    return routes


def movement_item(line: ReadOnlyDocument, plans: Mapping[DocId, PlanState]) -> MovementItem:
    plan = plans.get(line["plan_id"])
    return MovementItem(
        id=line["_id"],
        at=line["at"],
        day=line["day"].astimezone(UTC).date(),
        kind=line["kind"],
        reason=line["reason"],
        customer_id=schemas.identity(line["customer_id"]),
        license_id=schemas.identity(line["license_id"]),
        plan_name=plan.plan.name if plan is not None and plan.plan is not None else None,
        count=line.get("count", 1),
        mrr=line["mrr_cents"] / 100,
        one_time_revenue=line["one_time_cents"] / 100,
        customers=line["customers"],
        paying_customers=line["paying_customers"],
        active_licenses=line["active_licenses"],
    )
