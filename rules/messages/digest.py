"""The message of the morning: corrections, the days that became final, and on their first day the week or the month."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from rules.messages import corrections, numbers
from rules.messages.corrections import Correction, LateFact
from rules.messages.model import Message, PeriodNumbers
from rules.settings import italian, message_texts

MAX_FACTS = 12
"""Facts of one period that are listed; a phone shows no more."""
MAX_DAYS, MAX_BLOCKS = 10, 3
"""Days with a line, and weeks and months with a block of their own; after a long pause the newest ones are listed."""


class Morning(NamedTuple):
    """What became final since the last message of the morning."""

    today: date
    days: tuple[PeriodNumbers, ...] = ()
    weeks: tuple[PeriodNumbers, ...] = ()
    months: tuple[PeriodNumbers, ...] = ()
    corrected: tuple[Correction, ...] = ()
    late: tuple[LateFact, ...] = ()

    @property
    def periods(self) -> tuple[PeriodNumbers, ...]:
        return (*self.days, *self.weeks, *self.months)


def message(morning: Morning, *, silent_days: bool = False) -> Message | None:
    """Return the message; None if nothing is corrected and nothing happened (unless `silent_days`)."""
    loud = [one for one in morning.periods if silent_days or not one.is_quiet]
    if not loud and not morning.corrected:
        return None
    weeks = [_period_lines(_week_title(week), week) for week in morning.weeks[-MAX_BLOCKS:]]
    months = [
        _period_lines(message_texts.MONTH.format(Month=_month(month.first)), month)
        for month in morning.months[-MAX_BLOCKS:]
    ]
    blocks = [
        corrections.lines(morning.corrected, morning.today, morning.late),
        *_day_blocks(morning.days),
        *weeks,
        _omitted(message_texts.MORE_WEEKS, len(morning.weeks) - len(weeks)),
        *months,
        _omitted(message_texts.MORE_MONTHS, len(morning.months) - len(months)),
    ]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return Message(_key(morning), _subject(morning), text)


def _day_blocks(days: Sequence[PeriodNumbers]) -> Iterator[list[str]]:
    """Yield the block of a day; of several days that became final late one line each."""
    if len(days) == 1:
        yield _day_lines(days[0])
    elif days:
        shown = days[-MAX_DAYS:]
        yield [*map(_day_line, shown), *_omitted(message_texts.MORE_DAYS, len(days) - len(shown))]


def _omitted(forms: tuple[str, str], count: int) -> list[str]:
    return [italian.plural(forms, count)] if count else []


def _week_title(week: PeriodNumbers) -> str:
    return message_texts.WEEK.format(range=italian.date_range(week.first, week.last))


def _day_lines(day: PeriodNumbers) -> list[str]:
    weekday = italian.WEEKDAYS[day.first.weekday()].capitalize()
    title = message_texts.DAY.format(Weekday=weekday, day=italian.day_and_month(day.first, day.first))
    lines = _period_lines(title, day)
    return lines if day.facts else [*lines, message_texts.QUIET_DAY]


def _day_line(day: PeriodNumbers) -> str:
    line = message_texts.DAY_LINE.format(short_day=italian.short_day(day.first), **_mrr(day))
    return " • ".join((line, *day.facts[:1])) if day.facts else line


def _period_lines(title: str, period: PeriodNumbers) -> list[str]:
    lines = [title, *numbers.lines(period.numbers, period.before)]
    if period.interrupted:
        lines.append(message_texts.INCOMPLETE.format(duration=italian.duration(period.interrupted)))
    return [*lines, *_facts(period.facts)]


def _facts(facts: Sequence[str]) -> Iterator[str]:
    """Yield a fact a line, with amounts as readers write them; at most `MAX_FACTS`."""
    shown = facts if len(facts) <= MAX_FACTS else facts[: MAX_FACTS - 1]
    yield from map(italian.with_readers_euros, shown)
    if len(shown) < len(facts):
        yield f"… {italian.and_other_events(len(facts) - len(shown))}"


def _subject(morning: Morning) -> str:
    """Return the subject: the day and its MRR within the first 40 characters, which is what a phone shows."""
    if not morning.days:
        return _period_subject(morning) or _correction_subject(morning)
    first, last = morning.days[0], morning.days[-1]
    if first is last and first.is_quiet:
        return message_texts.SUBJECT_DAY_QUIET.format(short_day=italian.short_day(first.first), **_mrr(first))
    if first is last:
        subject = message_texts.SUBJECT_DAY.format(short_day=italian.short_day(first.first), **_mrr(first))
    else:
        total = last._replace(before=first.before)
        days = italian.short_date_range(first.first, last.last)
        subject = message_texts.SUBJECT_DAYS.format(short_range=days, **_mrr(total))
    new = sum(day.new_customers for day in morning.days)
    return f"{subject}, {italian.plural(message_texts.SUBJECT_NEW_CUSTOMERS, new)}" if new else subject


def _period_subject(morning: Morning) -> str:
    """Return the subject of a week or month without days; "" if there is neither."""
    if morning.months:
        month = morning.months[-1]
        return message_texts.SUBJECT_DAYS.format(short_range=_month(month.first), **_mrr(month))
    if morning.weeks:
        week = morning.weeks[-1]
        days = italian.short_date_range(week.first, week.last)
        return message_texts.SUBJECT_DAYS.format(short_range=days, **_mrr(week))
    return ""


def _correction_subject(morning: Morning) -> str:
    first = morning.corrected[0]
    if len(morning.corrected) > 1:
        return message_texts.SUBJECT_CORRECTIONS.format(periods=" e ".join(_corrected_periods(morning.corrected)))
    field, (before, after) = next(iter(first.changes.items()))
    del_day = italian.with_article(italian.DEL, first.day, morning.today)
    return message_texts.SUBJECT_CORRECTION.format(
        of_period=f"di {_month(first.day).lower()}" if first.month else del_day,
        name=message_texts.NUMBERS[field],
        before=numbers.value(field, before),
        after=numbers.value(field, after),
    )


def _corrected_periods(corrected: Sequence[Correction]) -> Iterator[str]:
    months = sum(one.month for one in corrected)
    forms = (message_texts.SUBJECT_CORRECTED_DAYS, message_texts.SUBJECT_CORRECTED_MONTHS)
    for form, count in zip(forms, (len(corrected) - months, months), strict=True):
        if count:
            yield italian.plural(form, count)


def _mrr(period: PeriodNumbers) -> dict[str, str]:
    before, now = (one.get("mrr_cents") for one in (period.before, period.numbers))
    return {"mrr": numbers.value("mrr_cents", now), "change": numbers.step("mrr_cents", before, now)}


def _key(morning: Morning) -> str:
    """Return the key: the last period, so that a repetition of the same morning has the same one."""
    newest = max((one.last for one in morning.periods), default=morning.today)
    return f"morning-{newest:%Y-%m-%d}" if morning.periods else f"corrections-{newest:%Y-%m-%d}"


def _month(day: date) -> str:
    return f"{italian.MONTHS[day.month - 1]} {day.year}"
