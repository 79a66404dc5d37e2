"""Summaries at the start of a week and of a month: one line with the numbers of the period that ended.

A period with a missing day has no summary.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from rules.insights.trends import Day
from rules.model.events import Event, EventType
from rules.settings.catalog import euro
from rules.settings.italian import MONTHS, date_range


def events(day: date, at: datetime, history: Sequence[Day]) -> list[Event]:
    """Return the summaries at the start of `day`: of the last week on a Monday, of the last month on a 1st.

    `history` holds the days before `day`; a summary needs all days of the ended period and the day before it.
    """
    found = (week(day, at, history), month(day, at, history))
    return [event for event in found if event is not None]


def week(day: date, at: datetime, history: Sequence[Day]) -> Event | None:
    """Return the summary of the ended ISO week; as in the dashboard, `week_start` and the key name the new week."""
    if day.weekday() != 0:
        return None
    ended = day - timedelta(7)
    return _event(
        "week", iso_week(day), f"Settimana {date_range(ended, day - timedelta(1))}", at, _period(ended, day, history)
    )


def month(day: date, at: datetime, history: Sequence[Day]) -> Event | None:
    """Return the summary of the ended month; as in the dashboard, `month_start` and the key name the new month."""
    if day.day != 1:
        return None
    ended = (day - timedelta(1)).replace(day=1)
    title = f"{MONTHS[ended.month - 1]} {ended.year}"
    return _event("month", f"{day:%Y-%m}", title, at, _period(ended, day, history))


def iso_week(day: date) -> str:
    """Return YYYY-WW by ISO 8601; the ISO year may differ from the calendar year around New Year."""
    iso = day.isocalendar()
    return f"{iso.year}-{iso.week:02d}"


def summary_text(days: Sequence[Day]) -> str:
    """Return the numbers of a period in one line; `days` begins with the day before the period."""
    start, end, period = days[0], days[-1], days[1:]
    parts = [
        _customers(end.customers - start.customers),
        f"MRR {euro(end.mrr_cents)} ({_change(end.mrr_cents - start.mrr_cents)})",
        _count(sum(day.sales for day in period), "nuova licenza", "nuove licenze", "nessuna nuova licenza"),
    ]
    canceled = sum(day.cancellations for day in period)
    return ", ".join([*parts, _count(canceled, "cancellazione", "cancellazioni", "")] if canceled else parts)


def _period(first: date, after: date, history: Sequence[Day]) -> list[Day]:
    """Return the days from the one before `first` to the one before `after`; [] if one is missing or all are zero."""
    known = {day.date: day for day in history}
    needed = [first + timedelta(number) for number in range(-1, (after - first).days)]
    days = [known[date] for date in needed if date in known]
    return days if len(days) == len(needed) and any(any(day[1:]) for day in days) else []


def _event(period: str, name: str, title: str, at: datetime, days: Sequence[Day]) -> Event | None:
    if not days:
        return None
    return Event(
        key=f"{period}:{name}",
        type=EventType.MILESTONE_REACHED,
        at=at,
        description=f"{title}: {summary_text(days)}",
        metadata={f"{period}_start": name},
    )


def _customers(change: int) -> str:
    if change == 0:
        return "clienti invariati"
    return f"{change:+d} {'cliente' if abs(change) == 1 else 'clienti'}"


def _change(cents: int) -> str:
    return "invariato" if cents == 0 else f"{'+' if cents > 0 else ''}{euro(cents)}"


def _count(number: int, one: str, many: str, none: str) -> str:
    if number == 0:
        return none
    return f"{number} {one if number == 1 else many}"
