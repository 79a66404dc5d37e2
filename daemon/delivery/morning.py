"""What the message of the morning is made of: rows that became final or were amended since the last one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from daemon import clock
from daemon.config.targets import Notify
from daemon.delivery import fact_texts
from daemon.mongo.types import Database
from daemon.store import gaps, outbox, rows
from daemon.store.outbox import OutboxPosition
from rules import business_days
from rules.messages import corrections, digest, timing
from rules.messages.corrections import Correction, LateFact
from rules.messages.digest import Morning
from rules.messages.model import Message, PeriodNumbers
from rules.model.facts import FactType, RowFact
from rules.rows import announced, periods
from rules.rows.periods import Period, PeriodKind
from rules.rows.row import are_comparable
from rules.settings.catalog import SEPARATOR
from rules.settings.settings import Settings

ROW_TYPES = (FactType.DAY_CLOSED, FactType.DAY_AMENDED, FactType.MONTH_CLOSED, FactType.MONTH_AMENDED)


MAX_LATE = 1000
"""Corrections that have as many late facts are sent without a reason."""


class Collected(NamedTuple):
    """Days and months that became final, the last one at `closed_at`, and amendments, between two positions."""

    after: OutboxPosition
    position: OutboxPosition
    days: tuple[date, ...] = ()
    months: tuple[date, ...] = ()
    amended: tuple[RowFact, ...] = ()
    closed_at: datetime | None = None


def collect(database: Database, after: OutboxPosition) -> Collected:
    """Return everything about rows since a position."""
    days: list[date] = []
    months: list[date] = []
    amended: list[RowFact] = []
    position, closed_at = after, None
    for entry in outbox.read(database, after, types=ROW_TYPES):
        position, subject = entry.position, entry.fact.subject
        assert isinstance(subject, RowFact)
        if entry.fact.type in (FactType.DAY_AMENDED, FactType.MONTH_AMENDED):
            amended.append(subject)
        else:
            closed_at = entry.at
            (months if subject.month else days).append(subject.day)
    return Collected(after, position, tuple(sorted(days)), tuple(sorted(months)), tuple(amended), closed_at)


def message(database: Database, found: Collected, notify: Notify, settings: Settings) -> Message | None:
    """Return the message with the parts that this person wants; None if there is nothing to say."""
    today = business_days.business_day(clock.now(), settings.zone)
    wants = notify.morning
    sundays = [day for day in found.days if timing.is_week_due(day)]
    corrected = _standing(found, today) if "correction" in wants else ()
    return digest.message(
        Morning(
            today,
            _known(_day(database, day, settings) for day in found.days) if "day" in wants else (),
            _known(_week(database, sunday) for sunday in sundays) if "week" in wants else (),
            _known(_month(database, month, settings) for month in found.months) if "month" in wants else (),
            corrected,
            _late(database, found, corrected, settings),
        ),
        silent_days=notify.silent_days,
    )


def _standing(found: Collected, today: date) -> tuple[corrections.Correction, ...]:
    """Return the corrections of rows that were sent before; a row that is new in this message is sent as it is now."""
    new = {(False, day) for day in found.days} | {(True, day) for day in found.months}
    amended = (row for row in found.amended if (row.month, row.day) not in new)
    return tuple(corrections.net(amended, today))


def _late(
    database: Database, found: Collected, corrected: Sequence[Correction], settings: Settings
) -> tuple[LateFact, ...]:
    """Return the events of corrected days, and before, that were committed since the last message."""
    if not corrected:
        return ()
    last = max(periods.month(one.day).last if one.month else one.day for one in corrected)
    end = business_days.start(last + business_days.ONE_DAY, settings.zone)
    facts = [entry.fact for entry in outbox.read_late(database, found.after, end, MAX_LATE)]
    if len(facts) == MAX_LATE:
        return ()
    texts = fact_texts.of(database, facts, settings)
    days = (business_days.business_day(fact.time, settings.zone) for fact in facts)
    return tuple(LateFact(day, fact, text.line) for day, fact, text in zip(days, facts, texts, strict=True))


def _known(found: Iterable[PeriodNumbers | None]) -> tuple[PeriodNumbers, ...]:
    return tuple(one for one in found if one is not None)


def _day(database: Database, day: date, settings: Settings) -> PeriodNumbers | None:
    before = rows.get(database, periods.day(day - business_days.ONE_DAY))
    return _numbers(database, periods.day(day), before, settings)


def _month(database: Database, first: date, settings: Settings) -> PeriodNumbers | None:
    period, previous = periods.month(first), periods.month(first - business_days.ONE_DAY)
    return _numbers(database, period, rows.get(database, previous), settings)


def _week(database: Database, sunday: date) -> PeriodNumbers | None:
    """Return the week that ends on a Sunday: the numbers of that day against those of the Sunday before."""
    row = rows.get(database, periods.day(sunday))
    before = rows.get(database, periods.day(sunday - timedelta(days=7)))
    if row is None:
        return None
    monday = sunday - timedelta(days=6)
    return PeriodNumbers(monday, sunday, announced.numbers(row), _numbers_before(before, row))


def _numbers(
    database: Database, period: Period, before: Mapping[str, Any] | None, settings: Settings
) -> PeriodNumbers | None:
    row = rows.get(database, period)
    if row is None:
        return None
    start, end = (business_days.start(day, settings.zone) for day in (period.first, period.last + timedelta(days=1)))
    note = row.get("auto_notes") if period.kind is PeriodKind.DAILY else ""
    return PeriodNumbers(
        period.first,
        period.last,
        announced.numbers(row),
        _numbers_before(before, row),
        tuple(note.split(SEPARATOR)) if note else (),
        row.get("new_customers", 0),
        _interrupted(database, start, end),
    )


def _numbers_before(before: Mapping[str, Any] | None, row: Mapping[str, Any]) -> dict[str, int]:
    """Return the numbers to compare a row with: none of a row that the dashboard counted in its own way."""
    return announced.numbers(before if before and are_comparable(before, row) else {})


def _interrupted(database: Database, start: datetime, end: datetime) -> float:
    """Return the seconds between two instants in which the stream was not followed."""
    seconds = 0.0
    for gap in gaps.between(database, start, end):
        until = gap.get("until") or gap.get("closed_at") or end
        seconds += (min(until, end) - max(gap["since"], start)).total_seconds()
    return seconds
