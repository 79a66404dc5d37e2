"""Sums per business day, computed by the server: the aggregation twin of `rules.revenue.day_sums`.

A test over random histories holds the two equal.
"""

from datetime import date

from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH, translated
from daemon.mongo.collections import LEDGER
from daemon.mongo.types import Database, Document
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.model.ledger import MovementKind
from rules.revenue.day_sums import DaySums, KindSum

NETS = ("customers", "paying_customers", "subscribers", "mrr_cents", "one_time_cents")
COUNTS = ("new_customers", "sales", "cancellations")


def by_day(database: Database, first: date, last: date, session: ClientSession | None = None) -> dict[date, DaySums]:
    """What each business day from `first` to `last` brought; days without a movement are left out."""
    within: Document = {"$match": {"day": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)}}}
    with translated():
        sums = list(database[LEDGER].aggregate([within, _by_kind()], session=session))
        crossings = list(
            database[LEDGER].aggregate([within, *_crossings()], session=session, allowDiskUse=True, batchSize=BATCH)
        )
    found: dict[date, DaySums] = {}
    for line in sums:
        _add(found.setdefault(line["_id"]["day"].date(), DaySums()), line)
    for line in crossings:
        flows = found.setdefault(line["_id"].date(), DaySums())
        flows.churned_customers, flows.reactivated_customers = line["churned"], line["reactivated"]
    return found


def _add(flows: DaySums, line: Document) -> None:
    """One kind's sums of one day."""
    kind = MovementKind(line["_id"]["kind"])
    if kind is not MovementKind.NEUTRAL:
        flows.by_kind[kind] = KindSum(line["count"], line["mrr_cents"])
    if kind is not MovementKind.OPENING:
        for name in (*NETS, *COUNTS):
            setattr(flows, name, getattr(flows, name) + line[name])


def _by_kind() -> Document:
    return {
        "$group": {
            "_id": {"day": "$day", "kind": "$kind"},
            "count": ledger.MOVED,
            **{name: {"$sum": f"${name}"} for name in NETS},
            **ledger.counts(),
        }
    }


def _crossings() -> list[Document]:
    """Per day the customers whose MRR went to zero, or came back from it, between its two midnights."""
    return [
        {"$match": {"subscribers": {"$ne": 0}, "kind": {"$ne": MovementKind.OPENING.value}}},
        {
            "$group": {
                "_id": {"day": "$day", "customer": "$customer_id"},
                "net": {"$sum": "$subscribers"},
                "first": {"$max": {"$eq": ["$kind", MovementKind.NEW.value]}},
            }
        },
        {
            "$group": {
                "_id": "$_id.day",
                "churned": ledger.count({"$lt": ["$net", 0]}),
                "reactivated": ledger.count({"$gt": ["$net", 0]}, {"$not": ["$first"]}),
            }
        },
    ]
