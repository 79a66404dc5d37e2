"""Lifetimes of customers and licenses, from the dates in their documents, as aggregation stages.

A customer exists since its creation. A license counts from its activation (or creation) to its end: `expires_at` if it
expired, else `updated_at`, the latest possible end. Documents deleted since, former plans and prices, and interruptions
are unknown. Implausible dates are ignored; the time in an ObjectId is used instead.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from daemon.mongo.types import Document
from rules.model.changes import LicenseStatus, Plan

Stage = dict[str, Any]

FLOOR = datetime(2000, 1, 1, tzinfo=UTC)
"""Earlier dates are ignored: they are older than the shop and come from broken clocks or zeros."""
MAX_AHEAD = timedelta(days=1)
"""Maximum plausible lead over now: that of a naive date in the easternmost time zone."""
STATUSES = tuple(status.value for status in LicenseStatus)
NO_ID = ("array", "object", "bool", "regex", "javascript", "javascriptWithScope")


class DateContext(NamedTuple):
    """How dates are interpreted: zone of the business day, zone of dates stored without one, current time."""

    zone: tzinfo
    naive_zone: tzinfo
    now: datetime


def instant(field: str, context: DateContext) -> Document:
    """Return an expression for the instant of a date field; null if it is not a plausible date."""
    value = f"${field}"
    sane = [
        {"$eq": [{"$type": value}, "date"]},
        {"$gte": [value, FLOOR]},
        {"$lte": [value, context.now + MAX_AHEAD]},
    ]
    return {"$cond": [{"$and": sane}, _in_zone(value, context), None]}


def _in_zone(value: Any, context: DateContext) -> Any:
    """Return an expression for the instant of a stored date; local times are stored as UTC (`daemon.source.decode`)."""
    if str(context.naive_zone) == "UTC":
        return value
    local = {"$dateToString": {"date": value, "format": "%Y-%m-%dT%H:%M:%S.%L"}}
    return {"$dateFromString": {"dateString": local, "timezone": str(context.naive_zone)}}


def creation_time(context: DateContext) -> Document:
    """Return an expression for the creation time of a document: `created_at`, else from its ObjectId, else null."""
    made = {"$toDate": "$_id"}
    sane = {"$and": [{"$gte": [made, FLOOR]}, {"$lte": [made, context.now + MAX_AHEAD]}]}
    by_id = {
        "$switch": {
            "branches": [
                {"case": {"$ne": [{"$type": "$_id"}, "objectId"]}, "then": None},
                {"case": sane, "then": made},
            ],
            "default": None,
        }
    }
    return {"$ifNull": [instant("created_at", context), by_id]}


def day_start(value: Any, context: DateContext) -> Document:
    """Return an expression for the start of an instant's business day, or null. Cheap: it runs for every document."""
    return {"$dateTrunc": {"date": value, "unit": "day", "timezone": str(context.zone)}}


def stored_day(begin: Any, context: DateContext) -> Document:
    """Return an expression for a business day as stored in rows (its date at 00:00 UTC), given its start."""
    noon = {"$add": [begin, 12 * 3600 * 1000]}
    text = {"$dateToString": {"date": noon, "format": "%Y-%m-%d", "timezone": str(context.zone)}}
    return {"$dateFromString": {"dateString": text, "onNull": None}}


def customers(context: DateContext) -> list[Stage]:
    """Return stages for `day`, the start of the day on which each customer was created; null if unknown."""
    return [{"$project": {"_id": 0, "day": day_start(creation_time(context), context)}}]


def licenses(plans: Sequence[Plan], context: DateContext) -> list[Stage]:
    """Return stages for `customer`, `plan`, `start`, `end`, `guess` and `unread` of each license.

    `start` and `end` are the starts of its first and last day (null: never), `plan` its index in `plans` (-1: none of
    them). `guess`: the end is only the latest possible one. `unread`: the daemon would hold the document.
    """
    return [
        {
            "$project": {
                "_id": 0,
                "customer": {"$ifNull": ["$customer_id", None]},
                "plan": {"$indexOfArray": [{"$literal": [plan.id for plan in plans]}, "$plan_id"]},
                "status": 1,
                "unread": _is_invalid(),
                "born": creation_time(context),
                "activated": instant("activated_at", context),
                "updated": instant("updated_at", context),
                "expires": _expiry(context),
            }
        },
        {"$set": {"start": _start(), "guess": _is_guess()}},
        {"$set": {"end": _end()}},
        {"$set": {"end": {"$cond": [{"$eq": ["$end", None]}, None, {"$max": ["$start", "$end"]}]}}},
        {"$set": {"start": day_start("$start", context), "end": day_start("$end", context)}},
    ]


def _is_invalid() -> Document:
    readable = [
        {"$in": ["$status", {"$literal": list(STATUSES)}]},
        {"$in": [{"$type": "$expires_at"}, ["date", "null", "missing"]]},
        {"$not": [{"$in": [{"$type": "$customer_id"}, list(NO_ID)]}]},
        {"$ne": ["$customer_id", math.nan]},
    ]
    return {"$not": [{"$and": readable}]}


def _expiry(context: DateContext) -> Document:
    """Return an expression for the end of the term; null if there is none or it is in the future."""
    value = "$expires_at"
    to_come = {"$or": [{"$ne": [{"$type": value}, "date"]}, {"$gt": [value, context.now + MAX_AHEAD]}]}
    branches = [{"case": to_come, "then": None}, {"case": {"$lt": [value, FLOOR]}, "then": FLOOR}]
    return {"$switch": {"branches": branches, "default": _in_zone(value, context)}}


def _start() -> Document:
    """Return an expression for the start; null for an inactive license that was never activated."""
    never = {"$and": [{"$eq": ["$status", LicenseStatus.INACTIVE.value]}, {"$eq": ["$activated", None]}]}
    return {"$cond": [never, None, {"$max": ["$born", "$activated"]}]}


def _is_guess() -> Document:
    ran_out = {"$and": [{"$eq": ["$status", LicenseStatus.EXPIRED.value]}, {"$ne": ["$expires", None]}]}
    return {"$not": [{"$or": [{"$eq": ["$status", LicenseStatus.ACTIVE.value]}, ran_out]}]}


def _end() -> Document:
    """Return an expression for the end; if it is unknown, the license ends at its start and counts on no day."""
    end = {"$cond": ["$guess", {"$min": ["$expires", "$updated"]}, "$expires"]}
    return {"$cond": ["$guess", {"$ifNull": [end, "$start"]}, end]}
