"""Sums per business day, computed by the server: the aggregation equivalent of `rules.revenue.day_sums`.

A test over random histories checks that both give equal results.
"""

from datetime import date
from typing import NamedTuple

from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import LEDGER
from daemon.mongo.types import Database, Document
from daemon.store.ledger import line_groups
from daemon.store.ledger import reader as ledger
from daemon.store.ledger.line_groups import LineGroup
from rules.model.ledger import MovementKind, Reason
from rules.revenue.day_sums import DaySums, KindSum

NET_FIELDS = ("customers", "paying_customers", "subscribers", "mrr_cents", "one_time_cents")


class Crossings(NamedTuple):
    """Numbers of customers who lost their MRR and who regained it on one day."""

    churned_customers: int
    reactivated_customers: int


NO_CROSSINGS = Crossings(0, 0)


def by_day(
    database: Database, first: date, last: date, session: ClientSession | None = None, last_line: int | None = None
) -> dict[date, DaySums]:
    """Return the sums of each business day from `first` to `last` that has movements, up to `last_line` (None: all)."""
    within = ledger.days_between(first, last, last_line)
    found: dict[date, DaySums] = {}
    for group in line_groups.groups(database, within, session):
        add_group(found.setdefault(group.day, DaySums()), group)
    for day, crossed in crossings(database, within, session).items():
        sums = found.setdefault(day, DaySums())
        sums.churned_customers, sums.reactivated_customers = crossed
    return found


def add_group(sums: DaySums, group: LineGroup, sign: int = 1) -> None:
    """Add the sums of a group of lines to those of its day, all but crossings."""
    if group.kind is not MovementKind.NEUTRAL:
        count, cents = sums.by_kind.get(group.kind, KindSum())
        sums.by_kind[group.kind] = KindSum(count + sign * group.number, cents + sign * group.totals.mrr_cents)
        if sums.by_kind[group.kind] == KindSum() and sign < 0:
            del sums.by_kind[group.kind]
    if group.kind is not MovementKind.OPENING:
        for name in NET_FIELDS:
            setattr(sums, name, getattr(sums, name) + sign * getattr(group.totals, name))
        for name, number in group.counts.items():
            setattr(sums, name, getattr(sums, name) + sign * number)


def crossings(database: Database, match: Document, session: ClientSession | None = None) -> dict[date, Crossings]:
    """Return the crossings of each day of the lines that match, of days with a movement of subscribers."""
    with translated():
        found = database[LEDGER].aggregate(
            [{"$match": match}, *_crossings()], session=session, allowDiskUse=True, batchSize=BATCH_SIZE
        )
        return {line["_id"].date(): Crossings(line["churned"], line["reactivated"]) for line in found}


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
                "churned": line_groups.count({"$lt": ["$net", 0]}, {"$not": ["$moved"]}),
                "reactivated": line_groups.count({"$gt": ["$net", 0]}, {"$not": ["$first"]}, {"$not": ["$moved"]}),
            }
        },
    ]
