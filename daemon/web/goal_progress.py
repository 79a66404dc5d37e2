"""Goals with their numbers of today and of earlier days, for the page and the API."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from daemon.mongo.types import ClientSession, Database, ReadOnlyDocument
from daemon.store import events
from daemon.store import rows as row_store
from daemon.store.ledger.totals import CurrentTotals
from rules import business_days
from rules.insights.goals import SPAN_DAYS, SPANS, Progress
from rules.settings import italian
from rules.settings.goals import Goal, GoalMetric, amount_of
from rules.settings.settings import Settings

FIELDS = {
    GoalMetric.MRR: "mrr",
    GoalMetric.CUSTOMERS: "total_customers",
    GoalMetric.PAYING: "paying_customers",
    GoalMetric.LICENSES: "active_licenses",
}


def read(
    database: Database, settings: Settings, current: CurrentTotals | None, session: ClientSession
) -> list[Progress]:
    """Return the progress of all goals at a snapshot; none before the first start."""
    if current is None or not settings.goals:
        return []
    first, yesterday = current.today - timedelta(SPANS * SPAN_DAYS), current.today - business_days.ONE_DAY
    rows = row_store.daily_numbers(database, first, yesterday, session)
    dates = events.dates_of(database, [goal.key for goal in settings.goals], session)
    return [
        Progress(
            goal,
            amount_of(goal.metric, current.totals),
            dict(_earlier(goal, rows, current.today)),
            current.today,
            business_days.business_day(dates[goal.key], settings.zone) if goal.key in dates else None,
        )
        for goal in settings.goals
    ]


def _earlier(goal: Goal, rows: Iterable[ReadOnlyDocument], today: date) -> Iterable[tuple[int, int]]:
    """Yield age in days and number of the rows that were counted by our rules, and of today."""
    for row in rows:
        amount = _amount(row, goal.metric)
        if amount is not None and "active_licenses" in row:
            yield (today - row["date"].date()).days, amount


def _amount(row: ReadOnlyDocument, metric: GoalMetric) -> int | None:
    known: Any = italian.number(row.get(FIELDS[metric]))
    return None if known is None else round(known * 100 if metric is GoalMetric.MRR else known)
