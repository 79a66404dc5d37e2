"""Rows of months, and rows of days summed to months where a month has no row of its own."""

from datetime import date, datetime

from daemon.mongo.client import translated
from daemon.mongo.collections import ROWS
from daemon.mongo.types import ClientSession, Database, Document
from daemon.store.rows import between
from rules import business_days
from rules.rows.periods import Period, PeriodKind

LEVELS = ("total_customers", "paying_customers", "active_licenses", "subscribers", "mrr", "arr", "zone")
FLOWS = ("new_customers", "churned_customers", "one_time_revenue")


def stored(database: Database, session: ClientSession) -> list[Document]:
    """Return the monthly rows, oldest first."""
    with translated():
        found = database[ROWS].find(between(PeriodKind.MONTHLY.value), {"_id": 0, "auto_events": 0}, session=session)
        return list(found.sort("date", 1))


def of_days(database: Database, session: ClientSession) -> list[Document]:
    """Return for each month with daily rows its levels on the last of them and the sums of its flows, oldest first."""
    levels = {name: {"$last": f"${name}"} for name in LEVELS}
    flows = {name: {"$sum": f"${name}"} for name in FLOWS}
    stages: list[Document] = [
        {"$match": between(PeriodKind.DAILY.value)},
        {"$sort": {"date": 1}},
        {"$project": dict.fromkeys(("date", *LEVELS, *FLOWS), 1)},
        {"$group": {"_id": {"$dateTrunc": {"date": "$date", "unit": "month"}}, **levels, **flows}},
        {"$sort": {"_id": 1}},
    ]
    with translated():
        found = list(database[ROWS].aggregate(stages, session=session))
    return [{"date": row.pop("_id"), "period_type": PeriodKind.MONTHLY.value, **row} for row in found]


def days(database: Database, first: date, last: date, session: ClientSession) -> list[Document]:
    """Return the numbers of the daily rows from `first` to `last`, oldest first."""
    without = {"_id": 0, "auto_events": 0, "notes": 0, "auto_notes": 0, "revenue_by_plan": 0}
    with translated():
        found = database[ROWS].find(between(PeriodKind.DAILY.value, first, last), without, session=session)
        return list(found.sort("date", 1))


def amended_between(
    database: Database, before: Period, since: datetime, until: datetime, session: ClientSession
) -> list[Document]:
    """Return amended rows of months before a month that were last written between two instants, oldest first."""
    query = {
        **between(PeriodKind.MONTHLY.value, last=before.first),
        "revision": {"$gt": 0},
        "updated_at": {"$gte": since, "$lt": until},
    }
    with translated():
        found = database[ROWS].find(query, {"_id": 0, "auto_events": 0}, session=session).sort("date", 1)
        return [row for row in found if row["date"].date() < before.first]


def has_days_before(database: Database, day: date, session: ClientSession) -> bool:
    """Return whether there is a daily row before a day."""
    query = between(PeriodKind.DAILY.value, last=day - business_days.ONE_DAY)
    with translated():
        return database[ROWS].find_one(query, {"_id": 1}, session=session) is not None
