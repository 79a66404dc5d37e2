"""Fills accounts: the database sums each day, and only the lines that an account lists are read.

The sums of the database are those of `rules.rows.shares`; a test over random histories compares both.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from daemon.mongo.client import translated
from daemon.mongo.collections import LEDGER
from daemon.mongo.types import ClientSession, Database, Document
from daemon.store.ledger import day_sums, line_groups
from daemon.store.ledger import reader as ledger
from rules.model.changes import DocId
from rules.model.ledger import MovementKind
from rules.revenue.day_sums import DaySums
from rules.rows.accounts import Account, CrossingAccount, DayShare
from rules.rows.shares import PlanShare, Share


def fill(
    database: Database,
    accounts: Sequence[Account],
    session: ClientSession,
    line: int | None = None,
    by_day: Mapping[date, DaySums] | None = None,
) -> None:
    """Add the movements of the accounts' days, up to a ledger line (None: all), in order of day and line.

    `by_day`: the sums of those days, if they are known; they hold the numbers of customers lost and regained.
    """
    summed: dict[tuple[date, date], list[Account]] = {}
    for account in accounts:
        if account.first > account.last:
            continue
        if isinstance(account, CrossingAccount):
            _add(database, account, _crossings(database, account, session, line, by_day), session, line)
        else:
            summed.setdefault((account.first, account.last), []).append(account)
    for together in summed.values():
        for account, shares in zip(together, _shares(database, together, session, line), strict=True):
            _add(database, account, shares, session, line)


def _add(
    database: Database, account: Account, shares: Sequence[DayShare], session: ClientSession, line: int | None
) -> None:
    for share in shares:
        if share.number and account.lists(share):
            match = {**ledger.days_between(share.day, share.day, line), **_matching(account)}
            _list(database, account, share, match, session)
        else:
            account.book_day(share)


def _list(database: Database, account: Account, share: DayShare, match: Document, session: ClientSession) -> None:
    """Add the lines of a day until the account lists enough of them, and the rest as a sum."""
    booked, total = account.booked, account.total
    for movement in ledger.matching(database, match, session):
        account.add(movement, share.day)
        if account.is_full and not isinstance(account, CrossingAccount):
            break
    account.close()
    left = DayShare(share.day, share.number - (account.booked - booked), share.amount - (account.total - total))
    account.book_day(left)


def _matching(account: Account) -> Document:
    """Return the query of the lines that may add to an account."""
    if isinstance(account.share, PlanShare):
        return {}
    kinds = account.share.signs
    query: Document = {} if account.share.of in line_groups.COUNTS else {account.share.of: {"$ne": 0}}
    return query if kinds is None else {**query, "kind": {"$in": [kind.value for kind, sign in kinds.items() if sign]}}


def _crossings(
    database: Database,
    account: Account,
    session: ClientSession,
    line: int | None,
    by_day: Mapping[date, DaySums] | None,
) -> list[DayShare]:
    """Return the numbers of customers lost or regained on each of an account's days, oldest first."""
    if by_day is None:
        match = ledger.days_between(account.first, account.last, line)
        found: Mapping[date, Any] = day_sums.crossings(database, match, session)
    else:
        found = by_day
    counts = [(day, getattr(found[day], account.name)) for day in sorted(found)]
    return [DayShare(day, count, count) for day, count in counts if account.first <= day <= account.last]


def _shares(
    database: Database, accounts: Sequence[Account], session: ClientSession, line: int | None
) -> list[list[DayShare]]:
    """Return the number and the sum of the lines of each day, oldest first, of accounts of the same days."""
    sums: Document = {}
    for position, account in enumerate(accounts):
        amount = _amount(account.share)
        sums[f"number{position}"] = {"$sum": {"$cond": [{"$ne": [amount, 0]}, 1, 0]}}
        sums[f"amount{position}"] = {"$sum": amount}
    stages: list[Document] = [
        {"$match": ledger.days_between(accounts[0].first, accounts[0].last, line)},
        {"$match": {"$or": [_matching(account) for account in accounts]}},
        {"$group": {"_id": "$day", **sums}},
        {"$sort": {"_id": 1}},
    ]
    with translated():
        days = list(database[LEDGER].aggregate(stages, session=session))
    return [
        [DayShare(day["_id"].date(), day[f"number{position}"], day[f"amount{position}"]) for day in days]
        for position in range(len(accounts))
    ]


def _amount(share: Share | PlanShare) -> Any:
    """Return the expression of the amount that a ledger line adds."""
    if isinstance(share, PlanShare):
        return _plan_amount(share)
    field = {"$ifNull": ["$count", 1]} if share.of == "count" else line_groups.COUNTS.get(share.of, f"${share.of}")
    if share.signs is None:
        return field
    branches = [{"case": {"$eq": ["$kind", kind.value]}, "then": sign} for kind, sign in share.signs.items()]
    return {"$multiply": [{"$switch": {"branches": branches, "default": 0}}, field]}


def _plan_amount(share: PlanShare) -> Any:
    """Return the effect of a line on the plans before and after it, and of its own fields."""
    ids = list(share.ids)
    is_opening = {"$eq": ["$kind", MovementKind.OPENING.value]}
    own = {"$cond": [is_opening, "$active_licenses" if share.counts else "$mrr_cents", 0]}
    once = 0 if share.counts else "$one_time_cents"
    return {
        "$add": [
            _value_of("after", ids, counts=share.counts),
            {"$subtract": [0, _value_of("before", ids, counts=share.counts)]},
            {"$cond": [{"$in": ["$plan_id", ids]}, {"$add": [own, once]}, 0]},
        ]
    }


def _value_of(side: str, ids: list[DocId], *, counts: bool) -> Any:
    value: Any = {"$cond": [f"${side}.active", 1, 0]} if counts else f"${side}.mrr_cents"
    return {"$cond": [{"$in": [f"${side}.plan_id", ids]}, value, 0]}
