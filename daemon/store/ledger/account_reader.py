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
    """Return the number and the sum of the lines of each day, oldest first, of accounts of the same days.

    The database sums each kind of lines without its sign, so accounts of one field share a sum.
    """
    amounts: list[Any] = []
    for account in accounts:
        if (amount := _amount(account.share)) not in amounts:
            amounts.append(amount)
    sums: Document = {}
    for position, amount in enumerate(amounts):
        sums[f"number{position}"] = {"$sum": {"$cond": [{"$ne": [amount, 0]}, 1, 0]}}
        sums[f"amount{position}"] = {"$sum": amount}
    first = accounts[0]
    match = ledger.days_between(first.first, first.last, line) | (_matching(first) if len(accounts) == 1 else {})
    group = {"_id": {"day": "$day", "kind": "$kind"}, **sums}
    with translated():
        found = list(database[LEDGER].aggregate([{"$match": match}, {"$group": group}], session=session))
    return [_day_shares(account.share, found, amounts.index(_amount(account.share))) for account in accounts]


def _day_shares(share: Share | PlanShare, found: Sequence[Document], position: int) -> list[DayShare]:
    """Return the days of one account from the sums of each day and kind."""
    signs = None if isinstance(share, PlanShare) else share.signs
    days: dict[date, DayShare] = {}
    for line in found:
        sign = 1 if signs is None else signs.get(MovementKind(line["_id"]["kind"]), 0)
        if sign and line[f"number{position}"]:
            day = line["_id"]["day"].date()
            _, number, amount = days.get(day, DayShare(day, 0, 0))
            number, amount = number + line[f"number{position}"], amount + sign * line[f"amount{position}"]
            days[day] = DayShare(day, number, amount)
    return [days[day] for day in sorted(days)]


def _amount(share: Share | PlanShare) -> Any:
    """Return the expression of the amount that a ledger line adds, without the sign of its kind."""
    if isinstance(share, PlanShare):
        return _plan_amount(share)
    return {"$ifNull": ["$count", 1]} if share.of == "count" else line_groups.COUNTS.get(share.of, f"${share.of}")


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
