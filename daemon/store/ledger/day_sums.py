"""Sums per business day, computed by the server: the aggregation equivalent of `rules.revenue.day_sums`.

A test over random histories checks that both give equal results.
"""

from datetime import date

from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import LEDGER
from daemon.mongo.types import Database, Document
from daemon.store.ledger import reader as ledger
from rules.model.ledger import MovementKind, Reason
from rules.revenue.day_sums import DaySums, KindSum

NET_FIELDS = ("customers", "paying_customers", "subscribers", "mrr_cents", "one_time_cents")
COUNT_FIELDS = ("new_customers", "sales", "cancellations")


def by_day(
    database: Database, first: date, last: date, session: ClientSession | None = None, last_line: int | None = None
) -> dict[date, DaySums]:
    """Return the sums of each business day from `first` to `last` that has movements, up to `last_line` (None: all)."""
    within: Document = {"$match": ledger.days_between(first, last, last_line)}
    with translated():
        sums = list(database[LEDGER].aggregate([within, _by_kind()], session=session))
        crossings = list(
            database[LEDGER].aggregate(
                [within, *_crossings()], session=session, allowDiskUse=True, batchSize=BATCH_SIZE
            )
        )
    found: dict[date, DaySums] = {}
    for line in sums:
        _add(found.setdefault(line["_id"]["day"].date(), DaySums()), line)
    for line in crossings:
        day_sums = found.setdefault(line["_id"].date(), DaySums())
        day_sums.churned_customers, day_sums.reactivated_customers = line["churned"], line["reactivated"]
    return found


def _add(day_sums: DaySums, line: Document) -> None:
    """Add the sums of one movement kind to a day."""
    kind = MovementKind(line["_id"]["kind"])
    if kind is not MovementKind.NEUTRAL:
        day_sums.by_kind[kind] = KindSum(line["count"], line["mrr_cents"])
    if kind is not MovementKind.OPENING:
        for name in (*NET_FIELDS, *COUNT_FIELDS):
            setattr(day_sums, name, getattr(day_sums, name) + line[name])


def _by_kind() -> Document:
    return {
        "$group": {
            "_id": {"day": "$day", "kind": "$kind"},
            "count": ledger.MOVEMENT_COUNT,
            **{name: {"$sum": f"${name}"} for name in NET_FIELDS},
            **ledger.counts(),
        }
    }


def _crossings() -> list[Document]:
    """Return stages that count, per day, customers whose MRR fell to or rose from zero between its two midnights."""
    is_neutral = {"$eq": ["$kind", MovementKind.NEUTRAL.value]}
    return [
        {"$match": {"subscribers": {"$ne": 0}, "kind": {"$ne": MovementKind.OPENING.value}}},
        {
            "$group": {
                "_id": {"day": "$day", "customer": "$customer_id"},
                "net": {"$sum": "$subscribers"},
                "first": {"$max": {"$eq": ["$kind", MovementKind.NEW.value]}},
                "moved": {"$max": {"$and": [is_neutral, {"$eq": ["$reason", Reason.LICENSE_MOVED.value]}]}},
            }
        },
        {
            "$group": {
                "_id": "$_id.day",
                "churned": ledger.count({"$lt": ["$net", 0]}, {"$not": ["$moved"]}),
                "reactivated": ledger.count({"$gt": ["$net", 0]}, {"$not": ["$first"]}, {"$not": ["$moved"]}),
            }
        },
    ]
