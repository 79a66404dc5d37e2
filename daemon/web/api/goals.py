"""Goals: their progress and pace, read only."""

from datetime import date

from fastapi import APIRouter
from pydantic import BaseModel, Field

from daemon.mongo.client import bounded, translated
from daemon.store.ledger.totals import current_totals
from daemon.web import goal_progress
from daemon.web.api.schemas import DATABASE_SECONDS, PREFIX, SuccessResponse
from daemon.web.context import WebContext
from daemon.web.json_body import StrictRoute
from rules.insights.goals import PaceState, Progress, pace
from rules.settings.goals import GoalMetric


class GoalItem(BaseModel):
    """A goal; amounts are euros for MRR, else numbers."""

    metric: GoalMetric
    value: int
    by: date
    current: float | int
    reached_on: date | None = Field(description="The day on which the value was reached first.")
    state: PaceState = Field(description="`insufficient`: fewer than 60 days are known, so there is no forecast.")
    gains: list[float | int] = Field(description="The gains of the last three spans of 30 days, newest first.")
    soonest: date | None = Field(description="The forecast at the pace of the best span.")
    latest: date | None = Field(description="The forecast at the pace of the worst span; null if it gained nothing.")
    needed: float | int | None = Field(description="The gain per 30 days that reaches the value in time.")


class GoalsResponse(SuccessResponse):
    goals: list[GoalItem]


def router(context: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["goals"], route_class=StrictRoute)

    @routes.get("/goals")
    def get_goals() -> GoalsResponse:
        """List the configured goals with their progress and pace; none before the first start."""
        database, settings = context.database, context.config().settings()
        with bounded(DATABASE_SECONDS), translated(), database.client.start_session(snapshot=True) as session:
            current = current_totals(database, settings.zone, (), session)
            found = goal_progress.read(database, settings, current, session)
        return GoalsResponse(goals=[_item(progress) for progress in found])

    return routes


def _item(progress: Progress) -> GoalItem:
    goal, forecast = progress.goal, pace(progress)
    unit = 100 if goal.metric is GoalMetric.MRR else 1
    return GoalItem(
        metric=goal.metric,
        value=goal.value,
        by=goal.by,
        current=_in_units(progress.amount, unit),
        reached_on=progress.reached,
        state=forecast.state,
        gains=[_in_units(gain, unit) for gain in progress.gains],
        soonest=forecast.soonest,
        latest=forecast.latest,
        needed=None if progress.needed is None else _in_units(progress.needed, unit),
    )


def _in_units(amount: int, unit: int) -> float | int:
    return amount if unit == 1 else amount / unit
