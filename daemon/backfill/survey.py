"""Survey of the source documents before a backfill, computed by the server."""

from collections.abc import Sequence
from datetime import date
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

Stage = dict[str, Any]


class SourceSurvey(NamedTuple):
    """Dates in the source documents: the oldest day, and the number of unusable documents by reason."""

    first: date | None
    unusable: dict[str, int]


def survey(database: Database, plans: Sequence[Plan], context: DateContext) -> SourceSurvey:
    """Scan both collections on the server."""
    people = _one(database, Source.CUSTOMERS, [*lifetimes.customers(context), _counted(_lacks_day())])
    unread, unpriced = "$unread", {"$eq": ["$plan", -1]}
    undated = {"$and": [{"$eq": ["$start", None]}, {"$ne": ["$status", "inactive"]}]}
    sold = _one(
        database,
        Source.LICENSES,
        [
            *lifetimes.licenses(plans, context),
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
    firsts = [days.business_day(found["first"], context.zone) for found in (people, sold) if found["first"] is not None]
    return SourceSurvey(min(firsts, default=None), {name: count for name, count in unusable.items() if count})


def _lacks_day() -> Document:
    return {"$eq": ["$day", None]}


def _counted(undated: Any, **more: Any) -> Stage:
    counts = {name: {"$sum": {"$cond": [wrong, 1, 0]}} for name, wrong in {"undated": undated, **more}.items()}
    return {"$group": {"_id": None, "first": {"$min": "$day"}, **counts}}


def _one(database: Database, source: Source, stages: list[Stage]) -> Document:
    with translated(), pymongo.timeout(TIMEOUT_SECONDS):
        found = list(reads.aggregate(database, source.value, stages))
    empty = {"first": None, "undated": 0, "unread": 0, "unpriced": 0}
    return found[0] if found else empty
