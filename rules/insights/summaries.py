"""Start of week and of month: one line about the week or the month that ended, in real numbers.

A period of which a day is unknown is silence: half a week is not a week.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from rules.insights.trends import Day
from rules.model.events import Event, EventType
from rules.settings.catalog import MONTHS, euro


def events(day: date, at: datetime, history: Sequence[Day]) -> list[Event]:
    """What is said as `day` begins: on a Monday of the week before, on a 1st of the month before, else nothing.

    `history` holds the days before `day`; the ended period and the day before it must all be there.
    """
    said = (week(day, at, history), month(day, at, history))
    return [event for event in said if event is not None]


def week(day: date, at: datetime, history: Sequence[Day]) -> Event | None:
    """The ISO week that ended; `week_start` and the key name the one that starts, as the dashboard does."""
    if day.weekday() != 0:
        return None
    ended = day - timedelta(7)
    return _event("week", iso_week(day), f"Settimana {ended.isocalendar().week}", at, _period(ended, day, history))


def month(day: date, at: datetime, history: Sequence[Day]) -> Event | None:
    """The month that ended; `month_start` and the key name the one that starts, as the dashboard does."""
    if day.day != 1:
        return None
    ended = (day - timedelta(1)).replace(day=1)
    title = f"{MONTHS[ended.month - 1]} {ended.year}"
    return _event("month", f"{day:%Y-%m}", title, at, _period(ended, day, history))


def iso_week(day: date) -> str:
    """YYYY-WW by ISO 8601: the year is the week's own, which around New Year is not always the calendar's."""
    iso = day.isocalendar()
    return f"{iso.year}-{iso.week:02d}"


def summary_text(days: Sequence[Day]) -> str:
    """The numbers of a period in one line; `days` begins with the day before the period."""
    start, end, period = days[0], days[-1], days[1:]
    parts = [
        _customers(end.customers - start.customers),
        f"MRR {euro(end.mrr_cents)} ({_change(end.mrr_cents - start.mrr_cents)})",
        _count(sum(day.sales for day in period), "nuova licenza", "nuove licenze", "nessuna nuova licenza"),
    ]
    cancelled = sum(day.cancellations for day in period)
    return ", ".join([*parts, _count(cancelled, "cancellazione", "cancellazioni", "")] if cancelled else parts)


def _period(first: date, after: date, history: Sequence[Day]) -> list[Day]:
    """The days from the one before `first` to the one before `after`; none if one is missing or all are empty."""
    known = {day.date: day for day in history}
    wanted = [first + timedelta(number) for number in range(-1, (after - first).days)]
    days = [known[date] for date in wanted if date in known]
    return days if len(days) == len(wanted) and any(any(day[1:]) for day in days) else []


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
