"""The ledger: where the business stands now, and the movements that led there."""

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
from daemon.web.api.rows import From, To, stretch
from daemon.web.api.schemas import PREFIX, SECONDS, Answer, Page
from daemon.web.context import WebContext
from daemon.web.json_body import StrictRoute
from rules.model.changes import DocId
from rules.model.ledger import MovementKind, Reason
from rules.model.states import PlanState
from rules.rows import row

MOST = 1000


class Totals(BaseModel):
    """Money in euros."""

    total_customers: int
    paying_customers: int
    active_licenses: int
    mrr: float
    arr: float
    one_time_revenue: float = Field(description="All that was ever sold once.")


class PlanRevenue(BaseModel):
    revenue: float = Field(description="MRR and what was sold once, in euros.")
    count: int = Field(description="Active licences.")


class CurrentTotals(Answer):
    as_of: datetime = Field(description="Everything written before this moment is in the numbers.")
    totals: Totals
    revenue_by_plan: dict[str, PlanRevenue]


class Movement(BaseModel):
    """A line of the ledger; `mrr` and the counts are signed changes."""

    id: int
    at: datetime
    day: date
    kind: MovementKind
    reason: Reason
    customer_id: str | None
    license_id: str | None
    plan_name: str | None
    count: int = Field(description="1; -1 where the line takes an earlier one back, 0 where it books that one again.")
    mrr: float
    one_time_revenue: float
    customers: int
    paying_customers: int
    active_licenses: int


class Moved(BaseModel):
    """What the movements of one kind come to."""

    count: int
    mrr: float


class Movements(Page):
    movements: list[Movement]
    total: int = Field(description="How many this answer holds.")
    summary: dict[MovementKind, Moved] | None = Field(description="Of the whole stretch, by kind; on its first page.")


def router(house: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["books"], route_class=StrictRoute)

    @routes.get("/get_current_totals")
    def get_current_totals() -> CurrentTotals:
        """Where the business stands, as of the last change committed."""
        with bounded(SECONDS):
            checkpoint = checkpoints.load(house.database)
            if checkpoint is None or checkpoint.at is None:
                raise Unavailable("the daemon has not taken over this database yet")
            plans = MirrorReader(house.database, house.config().settings()).plans()
        totals = checkpoint.totals
        return CurrentTotals(
            as_of=checkpoint.at,
            totals=Totals(
                total_customers=totals.customers,
                paying_customers=totals.paying_customers,
                active_licenses=totals.active_licenses,
                mrr=totals.mrr_cents / 100,
                arr=totals.mrr_cents * 12 / 100,
                one_time_revenue=totals.one_time_cents / 100,
            ),
            revenue_by_plan={
                name: PlanRevenue.model_validate(one) for name, one in row.revenue_by_plan(totals, plans).items()
            },
        )

    @routes.get("/get_mrr_movements")
    def get_mrr_movements(
        first: From = None,
        last: To = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
        cursor: Annotated[
            str | None, Query(pattern=r"^[0-9]{1,15}$", description="The `next_cursor` of an answer.")
        ] = None,
    ) -> Movements:
        """The movements of the ledger over a stretch of days, newest first."""
        days = stretch(house, first, last)
        with bounded(SECONDS):
            found = ledger.newest(house.database, *days, limit + 1, int(cursor) if cursor else None)
            summary = None if cursor else ledger.by_kind(house.database, *days)
            plans = MirrorReader(house.database, house.config().settings()).plans()
        return Movements(
            movements=[shape(line, plans) for line in found[:limit]],
            total=len(found[:limit]),
            summary=None
            if summary is None
            else {kind: Moved(count=n, mrr=c / 100) for kind, (n, c) in summary.items()},
            next_cursor=str(found[limit - 1]["_id"]) if len(found) > limit else None,
        )

    return routes


def shape(line: ReadOnlyDocument, plans: Mapping[DocId, PlanState]) -> Movement:
    plan = plans.get(line["plan_id"])
    return Movement(
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
