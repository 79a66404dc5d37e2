"""Daily rows before the daemon, computed by the server from the lifetimes of documents, one range of days at a time.

Every license becomes two changes, on its first and its last day; changes before the range are its opening balance. The
changes are summed per customer (paying customers) and per plan (revenue), then cumulated over the days.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pymongo

from daemon.backfill import lifetimes
from daemon.backfill.lifetimes import DateContext
from daemon.backfill.merge import TIMEOUT_SECONDS
from daemon.mongo.client import translated
from daemon.mongo.types import Database, Document
from daemon.source import reads
from rules import business_days as days
from rules.model.changes import Plan, Source
from rules.model.states import PlanState
from rules.rows import row

Stage = dict[str, Any]

UNKNOWN = ("deleted_documents", "past_plans_and_prices", "interruptions")
"""Facts that no document contains, for any day."""
GUESSED_ENDS = "some_ends"
"""Added to the `unknown` of a row that counts licenses whose end is only the latest possible one."""


class DayRange(NamedTuple):
    """The days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def rows(day_range: DayRange, plans: Sequence[Plan], context: DateContext, unknown: Sequence[str]) -> list[Stage]:
    """Return the stages, run on the licenses, that compute one row for each day of a range.

    `unknown` is added to the `unknown` of every row.
    """
    keys = plan_keys(plans)
    return [
        *_by_customer(day_range, plans, context),
        {"$unionWith": {"coll": Source.LICENSES.value, "pipeline": _by_plan(day_range, plans, context)}},
        {"$unionWith": {"coll": Source.CUSTOMERS.value, "pipeline": _new_customers(day_range, context)}},
        {"$group": {"_id": "$day", **_day_sums(plans, keys)}},
        {"$set": {"day": lifetimes.stored_day("$_id", context)}},
        {"$unset": "_id"},
        {"$densify": {"field": "day", "range": {"step": 1, "unit": "day", "bounds": _bounds(day_range)}}},
        {"$setWindowFields": {"sortBy": {"day": 1}, "output": _running(_level_names(keys))}},
        {"$match": {"day": {"$gte": days.stored(day_range.first)}}},
        {"$project": _row(keys, context, unknown)},
    ]


def plan_keys(plans: Sequence[Plan]) -> list[str]:
    """Return the keys of `revenue_by_plan`, sorted; plans with the same name share one."""
    return sorted({row.plan_key(PlanState(plan.id, {}, plan)) for plan in plans})


def _bounds(day_range: DayRange) -> list[Any]:
    return [days.stored(day_range.first - days.ONE_DAY), days.stored(day_range.last + days.ONE_DAY)]


# -- changes ------------------------------------------------------------------------------------------------


def _changes(day_range: DayRange, plans: Sequence[Plan], context: DateContext) -> list[Stage]:
    """Return stages for the two changes of each counted license; earlier changes are dated the day before the range."""
    price = _of_plan([plan.price_cents if plan.is_lifetime else 0 for plan in plans])
    over = _end_of(day_range, context)
    return [
        *lifetimes.licenses(plans, context),
        {"$match": {"unread": False, "plan": {"$gte": 0}, "start": {"$lt": over, "$ne": None}}},
        {
            "$set": {
                "change": [
                    {"day": "$start", "sign": 1, "sold": price, "started": 1},
                    {"day": "$end", "sign": -1, "sold": 0, "started": 0},
                ]
            }
        },
        {"$unwind": "$change"},
        {"$match": {"change.day": {"$lt": over, "$ne": None}}},
        {"$set": {"change.day": _clipped("$change.day", day_range, context)}},
    ]


def _end_of(day_range: DayRange, context: DateContext) -> datetime:
    """Return the instant at which a range ends."""
    return days.start(day_range.last + days.ONE_DAY, context.zone)


def _clipped(value: str, day_range: DayRange, context: DateContext) -> Document:
    return {"$max": [value, days.start(day_range.first - days.ONE_DAY, context.zone)]}


def _of_plan(values: list[int]) -> Document:
    return {"$arrayElemAt": [{"$literal": values}, "$plan"]}


def _by_customer(day_range: DayRange, plans: Sequence[Plan], context: DateContext) -> list[Stage]:
    """Return stages for the change of paying customers, and the customers that lost their MRR, by day."""
    paid = _of_plan([int(plan.price_cents > 0) for plan in plans])
    mrr = _of_plan([plan.mrr_cents for plan in plans])
    sums = {
        "paid": {"$sum": {"$multiply": ["$change.sign", paid]}},
        "mrr": {"$sum": {"$multiply": ["$change.sign", mrr]}},
    }
    before = {name: {"$subtract": [f"$running_{name}", f"${name}"]} for name in sums}
    return [
        *_changes(day_range, plans, context),
        {"$group": {"_id": {"customer": "$customer", "day": "$change.day"}, **sums}},
        {
            "$setWindowFields": {
                "partitionBy": "$_id.customer",
                "sortBy": {"_id.day": 1},
                "output": _running(tuple(sums), "running_"),
            }
        },
        {
            "$project": {
                "_id": 0,
                "day": "$_id.day",
                "paying": {"$subtract": [_one_if(_above("$running_paid")), _one_if(_above(before["paid"]))]},
                "churned": _one_if({"$and": [_above(before["mrr"]), {"$eq": ["$running_mrr", 0]}]}),
            }
        },
    ]


def _above(value: Any) -> Document:
    return {"$gt": [value, 0]}


def _one_if(condition: Any) -> Document:
    return {"$cond": [condition, 1, 0]}


def _by_plan(day_range: DayRange, plans: Sequence[Plan], context: DateContext) -> list[Stage]:
    """Return stages for the change of each plan's numbers, by day."""
    mrr = _of_plan([plan.mrr_cents for plan in plans])
    sums: Document = {
        "active": {"$sum": "$change.sign"},
        "mrr": {"$sum": {"$multiply": ["$change.sign", mrr]}},
        "sold": {"$sum": "$change.sold"},
        "started": {"$sum": "$change.started"},
        "guessed": {"$sum": {"$cond": ["$guess", "$change.sign", 0]}},
    }
    return [
        *_changes(day_range, plans, context),
        {"$group": {"_id": {"plan": "$plan", "day": "$change.day"}, **sums}},
        {"$project": {"_id": 0, "day": "$_id.day", "plan": "$_id.plan", **dict.fromkeys(sums, 1)}},
    ]


def _new_customers(day_range: DayRange, context: DateContext) -> list[Stage]:
    return [
        *lifetimes.customers(context),
        {"$match": {"day": {"$lt": _end_of(day_range, context), "$ne": None}}},
        {"$group": {"_id": _clipped("$day", day_range, context), "customers": {"$sum": 1}}},
        {"$project": {"_id": 0, "day": "$_id", "customers": 1}},
    ]


# -- days ---------------------------------------------------------------------------------------------------

LEVELS = ("customers", "paying", "active", "mrr", "guessed")
FLOWS = ("churned", "started", "sold")


def _day_sums(plans: Sequence[Plan], keys: Sequence[str]) -> Document:
    sums: Document = {name: {"$sum": f"${name}"} for name in (*LEVELS, *FLOWS)}
    for place, key in enumerate(keys):
        on_key = [n for n, plan in enumerate(plans) if row.plan_key(PlanState(plan.id, {}, plan)) == key]
        for name in ("active", "mrr", "sold"):
            sums[f"{name}_{place}"] = {"$sum": {"$cond": [{"$in": ["$plan", on_key]}, f"${name}", 0]}}
    return sums


def _level_names(keys: Sequence[str]) -> tuple[str, ...]:
    of_plans = (f"{name}_{place}" for place in range(len(keys)) for name in ("active", "mrr", "sold"))
    return (*LEVELS, *of_plans)


def _running(names: Sequence[str], prefix: str = "all_") -> Document:
    whole = {"documents": ["unbounded", "current"]}
    return {f"{prefix}{name}": {"$sum": f"${name}", "window": whole} for name in names}


def _row(keys: Sequence[str], context: DateContext, unknown: Sequence[str]) -> Document:
    """Return the row in the dashboard's format: euros as doubles, like `rules.rows.row.row`."""
    known_gaps = {"$literal": [*UNKNOWN, *unknown]}
    return {
        "date": "$day",
        "period_type": {"$literal": "daily"},
        "total_customers": "$all_customers",
        "paying_customers": "$all_paying",
        "mrr": {"$divide": ["$all_mrr", 100]},
        "arr": {"$divide": [{"$multiply": ["$all_mrr", 12]}, 100]},
        "new_customers": {"$ifNull": ["$customers", 0]},
        "churned_customers": {"$ifNull": ["$churned", 0]},
        "revenue_by_plan": _revenue(keys),
        "active_licenses": "$all_active",
        "one_time_revenue": {"$divide": [{"$ifNull": ["$sold", 0]}, 100]},
        "started_licenses": {"$ifNull": ["$started", 0]},
        "zone": {"$literal": str(context.zone)},
        "reconstructed": {"$literal": True},
        "unknown": {"$concatArrays": [known_gaps, {"$cond": [_above("$all_guessed"), [GUESSED_ENDS], []]}]},
    }


def _revenue(keys: Sequence[str]) -> Document:
    """Return MRR plus one-time sales and number of active licenses per plan name; plans without either are left out."""
    by_plan = [
        {
            "k": {"$literal": key},
            "v": {
                "revenue": {"$divide": [{"$add": [f"$all_mrr_{place}", f"$all_sold_{place}"]}, 100]},
                "count": f"$all_active_{place}",
            },
        }
        for place, key in enumerate(keys)
    ]
    has_value = {"$or": [{"$ne": ["$$this.v.revenue", 0]}, {"$ne": ["$$this.v.count", 0]}]}
    return {"$arrayToObject": {"$filter": {"input": by_plan, "cond": has_value}}}


def last_row(
    database: Database, day: date, plans: Sequence[Plan], context: DateContext, unknown: Sequence[str]
) -> Document:
    """Compute the row of one day without writing it."""
    with translated(), pymongo.timeout(TIMEOUT_SECONDS):
        stages = rows(DayRange(day, day), plans, context, unknown)
        return next(iter(reads.aggregate(database, Source.LICENSES.value, stages)), {})


def by_year(first: date, last: date) -> list[DayRange]:
    """Split the days from `first` to `last` by calendar year."""
    found: list[DayRange] = []
    while first <= last:
        end = min(last, date(first.year, 12, 31))
        found.append(DayRange(first, end))
        first = end + timedelta(days=1)
    return found
