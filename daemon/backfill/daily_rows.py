"""Rows of days before the daemon, computed by the server from the documents' lifetimes, a stretch of days at a time.

Every licence becomes two changes, on the day it starts and on the day it ends; everything before a stretch is its
opening balance. Per customer they are summed up to tell who pays, per plan to tell the revenue, and over the days.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pymongo

from daemon.backfill import lifetimes
from daemon.backfill.lifetimes import DateContext
from daemon.mongo.client import translated
from daemon.mongo.types import Database, Document
from rules import business_days as days
from rules.model.changes import Plan, Source
from rules.model.states import PlanState
from rules.rows import row

Stage = dict[str, Any]

LONGEST_SECONDS = 3600.0
"""One look over all documents of a large shop takes longer than any other operation may."""

UNKNOWN = ("deleted_documents", "past_plans_and_prices", "interruptions")
"""What no document tells, of any day."""
GUESSED = "some_ends"
"""What a day's row does not know where licences count in it whose end is the latest it can have been."""


class DayRange(NamedTuple):
    """The days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


class SourceSurvey(NamedTuple):
    """What the documents say of their dates: the oldest day, and how many cannot be used, by what is wrong."""

    first: date | None
    unusable: dict[str, int]


def survey(database: Database, plans: Sequence[Plan], frame: DateContext) -> SourceSurvey:
    """One look at both collections, counted by the server."""
    people = _one(database, Source.CUSTOMERS, [*lifetimes.customers(frame), _counted(_lacks_day())])
    unread, unpriced = "$unread", {"$eq": ["$plan", -1]}
    undated = {"$and": [{"$eq": ["$start", None]}, {"$ne": ["$status", "inactive"]}]}
    sold = _one(
        database,
        Source.LICENSES,
        [
            *lifetimes.licenses(plans, frame),
            {"$set": {"day": "$start"}},
            _counted(undated, unread=unread, unpriced={"$and": [{"$not": [unread]}, unpriced]}),
        ],
    )
    unusable = {
        "undated_customers": people["undated"],
        "undated_licenses": sold["undated"],
        "unread_licenses": sold["unread"],
        "unpriced_licenses": sold["unpriced"],
    }
    firsts = [days.business_day(found["first"], frame.zone) for found in (people, sold) if found["first"] is not None]
    return SourceSurvey(min(firsts, default=None), {name: count for name, count in unusable.items() if count})


def _lacks_day() -> Document:
    return {"$eq": ["$day", None]}


def _counted(undated: Any, **more: Any) -> Stage:
    counts = {name: {"$sum": {"$cond": [wrong, 1, 0]}} for name, wrong in {"undated": undated, **more}.items()}
    return {"$group": {"_id": None, "first": {"$min": "$day"}, **counts}}


def _one(database: Database, source: Source, stages: list[Stage]) -> Document:
    with translated(), pymongo.timeout(LONGEST_SECONDS):
        found = list(database[source.value].aggregate(stages, allowDiskUse=True))
    empty = {"first": None, "undated": 0, "unread": 0, "unpriced": 0}
    return found[0] if found else empty


def rows(stretch: DayRange, plans: Sequence[Plan], frame: DateContext, unknown: Sequence[str]) -> list[Stage]:
    """The stages, on the licences, that make one row for each day of a stretch."""
    keys = plan_keys(plans)
    return [
        *_by_customer(stretch, plans, frame),
        {"$unionWith": {"coll": Source.LICENSES.value, "pipeline": _by_plan(stretch, plans, frame)}},
        {"$unionWith": {"coll": Source.CUSTOMERS.value, "pipeline": _people(stretch, frame)}},
        {"$group": {"_id": "$day", **_day_sums(plans, keys)}},
        {"$set": {"day": lifetimes.stored_day("$_id", frame)}},
        {"$unset": "_id"},
        {"$densify": {"field": "day", "range": {"step": 1, "unit": "day", "bounds": _bounds(stretch)}}},
        {"$setWindowFields": {"sortBy": {"day": 1}, "output": _running(_level_names(keys))}},
        {"$match": {"day": {"$gte": days.stored(stretch.first)}}},
        {"$project": _row(keys, frame, unknown)},
    ]


def plan_keys(plans: Sequence[Plan]) -> list[str]:
    """The names revenue is told by, sorted; plans of one name share it."""
    return sorted({row.plan_key(PlanState(plan.id, {}, plan)) for plan in plans})


def _bounds(stretch: DayRange) -> list[Any]:
    return [days.stored(stretch.first - days.ONE_DAY), days.stored(stretch.last + days.ONE_DAY)]


# -- changes ------------------------------------------------------------------------------------------------


def _changes(stretch: DayRange, plans: Sequence[Plan], frame: DateContext) -> list[Stage]:
    """Two changes of each licence that counts, those before the stretch dated the day before it."""
    price = _of_plan([plan.price_cents if plan.is_lifetime else 0 for plan in plans])
    over = _over(stretch, frame)
    return [
        *lifetimes.licenses(plans, frame),
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
        {"$set": {"change.day": _clipped("$change.day", stretch, frame)}},
    ]


def _over(stretch: DayRange, frame: DateContext) -> datetime:
    """The instant a stretch is over."""
    return days.start(stretch.last + days.ONE_DAY, frame.zone)


def _clipped(value: str, stretch: DayRange, frame: DateContext) -> Document:
    return {"$max": [value, days.start(stretch.first - days.ONE_DAY, frame.zone)]}


def _of_plan(values: list[int]) -> Document:
    return {"$arrayElemAt": [{"$literal": values}, "$plan"]}


def _by_customer(stretch: DayRange, plans: Sequence[Plan], frame: DateContext) -> list[Stage]:
    """Who begins and ceases to pay, and to have MRR, on which day."""
    paid = _of_plan([int(plan.price_cents > 0) for plan in plans])
    mrr = _of_plan([plan.mrr_cents for plan in plans])
    sums = {
        "paid": {"$sum": {"$multiply": ["$change.sign", paid]}},
        "mrr": {"$sum": {"$multiply": ["$change.sign", mrr]}},
    }
    before = {name: {"$subtract": [f"$running_{name}", f"${name}"]} for name in sums}
    return [
        *_changes(stretch, plans, frame),
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


def _by_plan(stretch: DayRange, plans: Sequence[Plan], frame: DateContext) -> list[Stage]:
    """What each plan gains and loses, on which day."""
    mrr = _of_plan([plan.mrr_cents for plan in plans])
    sums: Document = {
        "active": {"$sum": "$change.sign"},
        "mrr": {"$sum": {"$multiply": ["$change.sign", mrr]}},
        "sold": {"$sum": "$change.sold"},
        "started": {"$sum": "$change.started"},
        "guessed": {"$sum": {"$cond": ["$guess", "$change.sign", 0]}},
    }
    return [
        *_changes(stretch, plans, frame),
        {"$group": {"_id": {"plan": "$plan", "day": "$change.day"}, **sums}},
        {"$project": {"_id": 0, "day": "$_id.day", "plan": "$_id.plan", **dict.fromkeys(sums, 1)}},
    ]


def _people(stretch: DayRange, frame: DateContext) -> list[Stage]:
    return [
        *lifetimes.customers(frame),
        {"$match": {"day": {"$lt": _over(stretch, frame), "$ne": None}}},
        {"$group": {"_id": _clipped("$day", stretch, frame), "customers": {"$sum": 1}}},
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


def _row(keys: Sequence[str], frame: DateContext, unknown: Sequence[str]) -> Document:
    """The row in the dashboard's shape: euros as doubles, as `rules.rows.row.row` writes them."""
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
        "zone": {"$literal": str(frame.zone)},
        "reconstructed": {"$literal": True},
        "unknown": {"$concatArrays": [known_gaps, {"$cond": [_above("$all_guessed"), [GUESSED], []]}]},
    }


def _revenue(keys: Sequence[str]) -> Document:
    """Per plan name what its licences bring a month and what was sold once, where there is anything."""
    told = [
        {
            "k": {"$literal": key},
            "v": {
                "revenue": {"$divide": [{"$add": [f"$all_mrr_{place}", f"$all_sold_{place}"]}, 100]},
                "count": f"$all_active_{place}",
            },
        }
        for place, key in enumerate(keys)
    ]
    is_told = {"$or": [{"$ne": ["$$this.v.revenue", 0]}, {"$ne": ["$$this.v.count", 0]}]}
    return {"$arrayToObject": {"$filter": {"input": told, "cond": is_told}}}


def last_row(
    database: Database, day: date, plans: Sequence[Plan], frame: DateContext, unknown: Sequence[str]
) -> Document:
    """The row of one day, computed and not written."""
    with translated(), pymongo.timeout(LONGEST_SECONDS):
        stages = rows(DayRange(day, day), plans, frame, unknown)
        return next(iter(database[Source.LICENSES.value].aggregate(stages, allowDiskUse=True)), {})


def years(first: date, last: date) -> list[DayRange]:
    """The days from `first` to `last` in stretches that end with the calendar year."""
    found: list[DayRange] = []
    while first <= last:
        end = min(last, date(first.year, 12, 31))
        found.append(DayRange(first, end))
        first = end + timedelta(days=1)
    return found
