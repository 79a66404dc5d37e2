"""What the documents' own dates tell of the years before the daemon, as stages the server runs.

A customer is there from its creation on. A licence counts from its activation (or creation) to its end: `expires_at`
where it ran out, else `updated_at`, which is the latest it can have been. What no document says nobody can know: those
deleted since, plans and prices of the past, interruptions. Dates that cannot be are no dates; an ObjectId then tells.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from daemon.mongo.types import Document
from rules.model.changes import LicenseStatus, Plan

Stage = dict[str, Any]

FLOOR = datetime(2000, 1, 1, tzinfo=UTC)
"""Before it no date is believed: it is older than the shop, and what a broken clock or a zero writes."""
AHEAD = timedelta(days=1)
"""How far ahead of now a date may be: a naive one of the easternmost zone."""
STATUSES = tuple(status.value for status in LicenseStatus)
NO_ID = ("array", "object", "bool")


class DateContext(NamedTuple):
    """How dates are read: the zone of the business day, that of dates without one, and what time it is."""

    zone: tzinfo
    naive_zone: tzinfo
    now: datetime


def instant(field: str, frame: DateContext) -> Document:
    """A field's date as an instant, null where it is none that can be."""
    value = f"${field}"
    sane = [
        {"$eq": [{"$type": value}, "date"]},
        {"$gte": [value, FLOOR]},
        {"$lte": [value, frame.now + AHEAD]},
    ]
    return {"$cond": [{"$and": sane}, _in_zone(value, frame), None]}


def _in_zone(value: Any, frame: DateContext) -> Any:
    """Return the instant a stored date means: local times are stored as if UTC (as in `daemon.source.decode`)."""
    if str(frame.naive_zone) == "UTC":
        return value
    local = {"$dateToString": {"date": value, "format": "%Y-%m-%dT%H:%M:%S.%L"}}
    return {"$dateFromString": {"dateString": local, "timezone": str(frame.naive_zone)}}


def born(frame: DateContext) -> Document:
    """When a document was created: by `created_at`, else by its ObjectId, else null."""
    made = {"$toDate": "$_id"}
    sane = {"$and": [{"$gte": [made, FLOOR]}, {"$lte": [made, frame.now + AHEAD]}]}
    by_id = {
        "$switch": {
            "branches": [
                {"case": {"$ne": [{"$type": "$_id"}, "objectId"]}, "then": None},
                {"case": sane, "then": made},
            ],
            "default": None,
        }
    }
    return {"$ifNull": [instant("created_at", frame), by_id]}


def day(value: Any, frame: DateContext) -> Document:
    """The instant an instant's business day begins; null stays null. Cheap, as it is asked of every document."""
    return {"$dateTrunc": {"date": value, "unit": "day", "timezone": str(frame.zone)}}


def stored_day(begin: Any, frame: DateContext) -> Document:
    """A business day, known by the instant it begins, as the table stores it: its date at 00:00 UTC."""
    noon = {"$add": [begin, 12 * 3600 * 1000]}
    text = {"$dateToString": {"date": noon, "format": "%Y-%m-%d", "timezone": str(frame.zone)}}
    return {"$dateFromString": {"dateString": text, "onNull": None}}


def customers(frame: DateContext) -> list[Stage]:
    """Of each customer the instant the day begins on which it came, null where nothing tells."""
    return [{"$project": {"_id": 0, "day": day(born(frame), frame)}}]


def licenses(plans: Sequence[Plan], frame: DateContext) -> list[Stage]:
    """Of each licence the instants its `start` and `end` day begin (null: never), customer, plan, `guess`, `unread`.

    `plan` is its place in `plans`, -1 for none of them; `guess` is true where the end is the latest it can have been,
    `unread` where the daemon would hold the document.
    """
    return [
        {
            "$project": {
                "_id": 0,
                "customer": {"$ifNull": [_reference("customer_id"), None]},
                "plan": {"$indexOfArray": [{"$literal": [plan.id for plan in plans]}, _reference("plan_id")]},
                "status": 1,
                "unread": _unread(),
                "born": born(frame),
                "activated": instant("activated_at", frame),
                "updated": instant("updated_at", frame),
                "expires": _expiry(frame),
            }
        },
        {"$set": {"start": _start(), "guess": _is_guess()}},
        {"$set": {"end": _end()}},
        {"$set": {"end": {"$cond": [{"$eq": ["$end", None]}, None, {"$max": ["$start", "$end"]}]}}},
        {"$set": {"start": day("$start", frame), "end": day("$end", frame)}},
    ]


def _reference(name: str) -> Document:
    """Ids written as 24 hex digits mean the same document as the ObjectId (daemon.source.totals counts so too)."""
    return {"$convert": {"input": f"${name}", "to": "objectId", "onError": f"${name}", "onNull": None}}


def _unread() -> Document:
    readable = [
        {"$in": ["$status", {"$literal": list(STATUSES)}]},
        {"$in": [{"$type": "$expires_at"}, ["date", "null", "missing"]]},
        {"$not": [{"$in": [{"$type": "$customer_id"}, list(NO_ID)]}]},
    ]
    return {"$not": [{"$and": readable}]}


def _expiry(frame: DateContext) -> Document:
    """The end of the term; null for one that never comes or is still to come."""
    value = "$expires_at"
    to_come = {"$or": [{"$ne": [{"$type": value}, "date"]}, {"$gt": [value, frame.now + AHEAD]}]}
    branches = [{"case": to_come, "then": None}, {"case": {"$lt": [value, FLOOR]}, "then": FLOOR}]
    return {"$switch": {"branches": branches, "default": _in_zone(value, frame)}}


def _start() -> Document:
    """When it first counted; one that is inactive and was never activated never did."""
    never = {"$and": [{"$eq": ["$status", LicenseStatus.INACTIVE.value]}, {"$eq": ["$activated", None]}]}
    return {"$cond": [never, None, {"$max": ["$born", "$activated"]}]}


def _is_guess() -> Document:
    ran_out = {"$and": [{"$eq": ["$status", LicenseStatus.EXPIRED.value]}, {"$ne": ["$expires", None]}]}
    return {"$not": [{"$or": [{"$eq": ["$status", LicenseStatus.ACTIVE.value]}, ran_out]}]}


def _end() -> Document:
    """A licence whose end nothing tells counts on no day: it is over at its start."""
    told = {"$cond": ["$guess", {"$min": ["$expires", "$updated"]}, "$expires"]}
    return {"$cond": ["$guess", {"$ifNull": [told, "$start"]}, told]}
