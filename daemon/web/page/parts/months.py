"""The list of months as the page and its downloads show it, and what may be added before it."""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from daemon.mongo.types import Document
from daemon.rollup.months import Month, Months, MonthSource
from daemon.store import month_rows
from daemon.store.ledger import reader as ledger
from daemon.web.page import month_texts, texts
from daemon.web.page.parts import letter, rows
from daemon.web.page.parts.rows import Tag
from daemon.web.page.snapshot import Snapshot
from rules import business_days
from rules.rows import periods
from rules.settings import italian


class MonthLine(NamedTuple):
    """A line of the list: `numbers` are texts with their names in addresses ("": a number without an explanation)."""

    first: date
    name: str
    tags: tuple[Tag, ...]
    numbers: tuple[tuple[str, str], ...]
    when: str
    line: int | None


def lines(snapshot: Snapshot) -> list[MonthLine]:
    """Return the months, newest first."""
    months = letter.months_of(snapshot)
    found = list(pairwise([None, *months.listed()]))
    return [_line(snapshot, months, before, month) for before, month in reversed(found) if month is not None]


def _line(snapshot: Snapshot, months: Months, before: Month | None, month: Month) -> MonthLine:
    row = month.row
    return MonthLine(
        month.first,
        texts.month(month.first),
        tuple(_tags(snapshot, month)),
        (
            (italian.euro(row.get("mrr")), "mrr"),
            (_change(before, month), ""),
            (italian.integer(row.get("total_customers")), "clienti"),
            (italian.integer(row.get("new_customers")), "nuovi"),
            (italian.integer(row.get("churned_customers")), "persi"),
        ),
        f"{month.first:%Y-%m}" if months.has_ledger(month.first) else "",
        letter.line(snapshot, month),
    )


def _change(before: Month | None, month: Month) -> str:
    """Return the change since the month before, if that is in the list and was counted by the same rules."""
    change = letter.mrr_change(before, month) if before is not None else None
    return italian.DASH if change is None else italian.signed_cents(change)


def _tags(snapshot: Snapshot, month: Month) -> Iterator[Tag]:
    state = _state(snapshot, month)
    if month_texts.STATES[state]:
        yield Tag(month_texts.STATES[state], month_texts.STATES_WHY[state], state)
    begin = month.row.get("measured_from")
    if begin is not None:
        day = business_days.business_day(begin, snapshot.settings.zone)
        since = italian.with_article(italian.DAL, day, snapshot.today)
        yield Tag(month_texts.PARTIAL, month_texts.PARTIAL_WHY.format(dal_day=since), "partial")
    yield from rows.revised(month.row)


def _state(snapshot: Snapshot, month: Month) -> str:
    """Return the key of a month in `month_texts.STATES`."""
    is_due = month.source is MonthSource.OPEN and periods.month(month.first).last < snapshot.today
    return "due" if is_due else month.source.value


# -- downloads ----------------------------------------------------------------------------------------------

COLUMNS = (
    *("date", "state", "total_customers", "paying_customers", "active_licenses", "subscribers", "mrr", "arr"),
    *("one_time_revenue", "new_customers", "churned_customers", "reactivated_customers", "arpa"),
    *("customer_churn_rate", "revenue_churn_rate", "net_revenue_retention", "quick_ratio"),
    *("mrr_new", "mrr_reactivation", "mrr_expansion", "mrr_contraction", "mrr_churn", "revision", "notes"),
)


def documents(snapshot: Snapshot) -> Iterable[Document]:
    """Return the months as lines of a file, oldest first."""
    return [_document(snapshot, month) for month in letter.months_of(snapshot).listed()]


def _document(snapshot: Snapshot, month: Month) -> Document:
    words = [tag.text for tag in _tags(snapshot, month)] or [month_texts.CLOSED]
    notes = month.row.get("notes", month.row.get("auto_notes"))
    shown = italian.with_readers_euros(notes) if isinstance(notes, str) else notes
    return {**month.row, "date": business_days.stored(month.first), "state": ", ".join(words), "notes": shown}


# -- before the table ---------------------------------------------------------------------------------------


def backfill_hint(snapshot: Snapshot) -> str:
    """Return a sentence if the table begins with the ledger although the shop is older; else ""."""
    start = snapshot.current.first_day if snapshot.current else None
    database, session = snapshot.database, snapshot.session
    if start is None or month_rows.has_days_before(database, start, session):
        return ""
    if not ledger.has_opening_balance(database, session):
        return ""
    return month_texts.BACKFILL.format(dal_day=italian.with_article(italian.DAL, start, snapshot.today))
