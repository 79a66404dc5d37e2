"""Queries of the ledger: movements of a day, totals at the end of a day, daily history."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime

from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import LEDGER
from daemon.mongo.ids import canonical
from daemon.mongo.types import Database, Document
from daemon.store.documents import movement_of
from daemon.store.ledger import line_groups
from rules import business_days
from rules.insights.trends import Day
from rules.model.changes import DocId
from rules.model.ledger import Movement, MovementKind, Reason, Totals
from rules.revenue import movements
from rules.rows import periods
from rules.rows.period_data import LedgerStart


def of_day(database: Database, day: date, session: ClientSession | None = None) -> Iterator[Movement]:
    """Yield the movements of a business day, in ledger order."""
    with translated():
        found = database[LEDGER].find({"day": business_days.stored(day)}, session=session, batch_size=BATCH_SIZE)
        yield from map(movement_of, found.sort([("day", 1), ("_id", 1)]))


def part_of_day(
    database: Database, day: date, part: tuple[int, int], session: ClientSession | None = None
) -> list[Movement]:
    """Return movements of a business day, in ledger order; `part` is how many to skip and the maximum number."""
    skip, limit = part
    with translated():
        found = (
            database[LEDGER].find({"day": business_days.stored(day)}, session=session).sort([("day", 1), ("_id", 1)])
        )
        return [movement_of(document) for document in found.skip(skip).limit(limit)]


def count_of_day(database: Database, day: date, session: ClientSession | None = None) -> int:
    with translated():
        return database[LEDGER].count_documents({"day": business_days.stored(day)}, session=session)


def of_days(database: Database, first: date, last: date) -> Iterator[Movement]:
    """Yield the movements of the business days from `first` to `last`, in ledger order."""
    with translated():
        found = database[LEDGER].find(days_between(first, last), batch_size=BATCH_SIZE)
        yield from map(movement_of, found.sort("_id", 1))


def matching(database: Database, match: Document, session: ClientSession) -> Iterator[Movement]:
    """Yield the movements of one business day that match, in ledger order."""
    with translated():
        found = database[LEDGER].find(match, session=session, batch_size=BATCH_SIZE)
        yield from map(movement_of, found.sort([("day", 1), ("_id", 1)]))


def days_between(first: date, last: date, line: int | None = None) -> Document:
    """Return the query of the lines of the business days from `first` to `last`, up to `line` (None: all)."""
    days_of: Document = {"day": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)}}
    return days_of if line is None else {**days_of, "_id": {"$lte": line}}


def newest(database: Database, first: date, last: date, limit: int, before: int | None) -> list[Document]:
    """Return lines of the business days from `first` to `last`, newest first, with an `_id` less than `before`."""
    wanted: Document = {"day": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)}}
    if before is not None:
        wanted["_id"] = {"$lt": before}
    with translated():
        return list(database[LEDGER].find(wanted).sort("_id", -1).limit(limit))


def by_kind(database: Database, first: date, last: date) -> dict[MovementKind, tuple[int, int]]:
    """Return the number of movements of each kind on those days and their MRR in signed cents."""
    stages: list[Document] = [
        {"$match": {"day": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)}}},
        {"$group": {"_id": "$kind", "count": line_groups.MOVEMENT_COUNT, "cents": {"$sum": "$mrr_cents"}}},
    ]
    with translated():
        found = database[LEDGER].aggregate(stages)
        return {MovementKind(kind["_id"]): (kind["count"], kind["cents"]) for kind in found}


def totals_and_peaks_before(database: Database, day: date) -> tuple[Totals, Totals | None]:
    """Return the totals at the start of `day` and the maximum of each number until then; None if no line is older.

    Lines that reverse or repeat a movement sum to zero, so they are ignored for the maximum.
    """
    older = {"day": {"$lt": business_days.stored(day)}}
    numbers = ("customers", "active_licenses", "mrr_cents")
    whole = {"documents": ["unbounded", "current"]}
    running = {name: {"$sum": f"${name}", "window": whole} for name in numbers}
    stages: list[Document] = [
        {"$match": {**older, "count": {"$nin": [-1, 0]}}},
        {"$setWindowFields": {"sortBy": {"_id": 1}, "output": running}},
        {"$group": {"_id": None, **{name: {"$max": f"${name}"} for name in numbers}}},
    ]
    with translated():
        highest = list(database[LEDGER].aggregate(stages, allowDiskUse=True))
    peaks = Totals(**{name: highest[0][name] for name in numbers}) if highest else None
    return line_groups.sums(database, older), peaks


def first_day(database: Database) -> date | None:
    """Return the first business day whose row can be computed from the ledger; None for an empty ledger.

    If old months were folded, this is the first day of the second month after them: every later row finds all the
    lines that it looks back to.
    """
    with translated():
        oldest = database[LEDGER].find_one({}, {"day": 1, "reason": 1}, sort=[("_id", 1)])
    if oldest is not None and oldest.get("reason") == Reason.RETENTION:
        kept = oldest["day"].date() + business_days.ONE_DAY
        return periods.next_month(periods.next_month(kept))
    begin = ledger_start(database)
    return begin.day if begin else None


def ledger_start(database: Database, session: ClientSession | None = None) -> LedgerStart | None:
    """Return the start of the ledger; None for an empty one.

    The first line belongs to the oldest day unless facts of an older day arrived late, so two index lookups are
    usually enough. Reading the whole first day, with a large shop's opening balance, would slow down every row.
    """
    wanted = {"day": 1, "at": 1}
    with translated():
        oldest = database[LEDGER].find_one({}, wanted, sort=[("day", 1)], session=session)
        first = database[LEDGER].find_one({}, wanted, sort=[("_id", 1)], session=session)
        if oldest is None or first is None:
            return None
        if first["day"] != oldest["day"]:
            first = _first_line_of(database, oldest["day"], session) or oldest
    return LedgerStart(first["day"].date(), first["at"])


def has_opening_balance(database: Database, session: ClientSession | None = None) -> bool:
    """Return whether there were customers before the ledger's first day."""
    with translated():
        oldest = database[LEDGER].find_one({}, {"kind": 1}, sort=[("_id", 1)], session=session)
    return oldest is not None and oldest["kind"] == MovementKind.OPENING


def _first_line_of(database: Database, stored: datetime, session: ClientSession | None) -> Document | None:
    """Return the first line of a day, by $top: no index covers day and line, and a sort would scan all lines."""
    first_line = {"$top": {"sortBy": {"_id": 1}, "output": "$at"}}
    stages: list[Document] = [{"$match": {"day": stored}}, {"$group": {"_id": "$day", "at": first_line}}]
    found = list(database[LEDGER].aggregate(stages, session=session))
    return {"day": found[0]["_id"], "at": found[0]["at"]} if found else None


def day_at(database: Database, line: int) -> date | None:
    """Return the newest business day of the lines up to `line`; None if there is none."""
    with translated():
        found = database[LEDGER].find_one({"_id": {"$lte": line}}, {"day": 1}, sort=[("day", -1)], hint=[("day", 1)])
    return found["day"].date() if found else None


def time_of(database: Database, line: int) -> datetime | None:
    """Return the time of a line; None if it is archived."""
    with translated():
        found = database[LEDGER].find_one({"_id": line}, {"at": 1})
    return found["at"] if found else None


def newest_line(database: Database, session: ClientSession | None = None) -> int:
    """Return the `_id` of the newest line at the session's snapshot; 0 for an empty ledger."""
    with translated():
        found = database[LEDGER].find_one({}, {"_id": 1}, sort=[("_id", -1)], session=session)
    return int(found["_id"]) if found else 0


def line_since(database: Database, day: date, session: ClientSession) -> int | None:
    """Return the `_id` of a line of the first business day since `day`; None if there is none."""
    since = {"day": {"$gte": business_days.stored(day)}}
    with translated():
        found = database[LEDGER].find_one(since, {"_id": 1}, sort=[("day", 1)], session=session)
    return int(found["_id"]) if found else None


def last_at(database: Database) -> datetime | None:
    """Return the time of the last line; None for an empty ledger."""
    with translated():
        document = database[LEDGER].find_one({}, {"at": 1}, sort=[("_id", -1)])
    return document["at"] if document else None


def totals_after(
    database: Database, running: Totals, day: date, session: ClientSession | None = None, line: int | None = None
) -> Totals:
    """Return the totals at the end of `day`: the running totals minus all later movements, summed by the server.

    With `line`, the lines after it are later movements too.
    """
    later: Document = {"day": {"$gt": business_days.stored(day)}}
    match = later if line is None else {"$or": [later, {"_id": {"$gt": line}}]}
    return movements.combined(running, line_groups.sums(database, match, session), -1)


def licenses_by_plan(
    database: Database, now: Mapping[DocId, int], days: tuple[date, date], session: ClientSession, *, is_recent: bool
) -> dict[DocId, tuple[int, int]]:
    """Return by plan how many licenses the days from one to another added, and how many there were at their end.

    `now`: how many there are. The server sums the lines since the first day if `is_recent`, else those until the last.
    """
    first, last = map(business_days.stored, days)
    is_other = {"$gt": ["$day", last]} if is_recent else {"$lt": ["$day", first]}
    sold, others = ({"$sum": {"$cond": [is_other, *either]}} for either in ([0, "$licenses"], ["$licenses", 0]))
    stages: list[Document] = [
        {"$match": {"day": {"$gte": first} if is_recent else {"$lte": last}, "plan_id": {"$in": list(now)}}},
        {"$group": {"_id": "$plan_id", "sold": sold, "others": others}},
    ]
    with translated():
        found = {canonical(one["_id"]): one for one in database[LEDGER].aggregate(stages, session=session)}
    ends = {key: now[key] - one["others"] if is_recent else one["others"] + one["sold"] for key, one in found.items()}
    return {key: (one["sold"], ends[key]) for key, one in found.items()}


def history(database: Database, running: Totals, first: date, last: date) -> list[Day]:
    """Return the numbers at the end of each business day from `first` (or the ledger's start) to `last`, oldest first.

    The server sums each day; the sums are subtracted from the running totals, newest day first. No day is left out.
    """
    stages: list[Document] = [
        {"$match": {"day": {"$gte": business_days.stored(first)}}},
        {"$group": {"_id": "$day", **_day_sums()}},
    ]
    with translated():
        by_day = {found["_id"].date(): found for found in database[LEDGER].aggregate(stages)}
    begin = first_day(database)
    if begin is None:
        return []
    newest = max([last, *by_day])
    days: list[Day] = []
    end = (running.customers, running.paying_customers, running.mrr_cents)
    for day in reversed(list(business_days.between(max(first, begin), newest))):
        found = by_day.get(day, _NO_MOVEMENTS)
        days.append(Day(day, *end, found["new_customers"], found["sales"], found["cancellations"]))
        end = (end[0] - found["customers"], end[1] - found["paying_customers"], end[2] - found["mrr_cents"])
    return [day for day in reversed(days) if day.date <= last]


def _day_sums() -> Document:
    """Return the accumulators of a day's deltas and counts."""
    return {
        "customers": {"$sum": "$customers"},
        "paying_customers": {"$sum": "$paying_customers"},
        "mrr_cents": {"$sum": "$mrr_cents"},
        **line_groups.counts(),
    }


_NO_MOVEMENTS = dict.fromkeys(
    ("customers", "paying_customers", "mrr_cents", "new_customers", "sales", "cancellations"), 0
)


def digest(database: Database, last: int) -> Document:
    """Return the number of ledger lines up to `last` (`lines`) and their sums."""
    group: Document = {"_id": None, "lines": {"$sum": 1}, **{name: {"$sum": f"${name}"} for name in movements.TOTALS}}
    with translated():
        found = list(database[LEDGER].aggregate([{"$match": {"_id": {"$lte": last}}}, {"$group": group}]))
    return {name: found[0][name] if found else 0 for name in ("lines", *movements.TOTALS)}
