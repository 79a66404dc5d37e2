"""Corrections: the difference between what a target was sent and what the final rows say now.

A late fact amends every later day, so days in a row with the same difference are one line.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from rules.messages import numbers
from rules.model.facts import EventFact, Fact, FactType, RowFact
from rules.settings import italian, message_texts

MAX_DAYS = 35
"""Older days are not corrected in messages."""
MAX_MONTHS = 13
MAX_RUNS = 8
"""Lines with a difference in one message."""

NetChange = tuple[int | float | None, int | float | None]
"""A number as it was sent, and as it is now."""


class LateFact(NamedTuple):
    """A fact of `day` that was committed after the row of that day was final, with its text."""

    day: date
    fact: Fact
    text: str


class Correction(NamedTuple):
    """The corrected numbers of a day or month, by field of the row."""

    day: date
    month: bool
    changes: Mapping[str, NetChange]

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """Return the changes without their levels: equal for all days that one late fact amended."""
        return tuple((field, numbers.step(field, *change)) for field, change in self.changes.items())


def net(amended: Iterable[RowFact], today: date) -> list[Correction]:
    """Return what has changed over all amendments, in their order; a number that is back where it was is no change."""
    found: dict[tuple[bool, date], dict[str, NetChange]] = {}
    for row in amended:
        if _is_recent(row, today):
            changes = found.setdefault((row.month, row.day), {})
            for field, before, after in row.changes:
                if field in message_texts.NUMBERS:
                    changes[field] = (changes[field][0] if field in changes else before, after)
    corrections = [Correction(day, month, _changed(changes)) for (month, day), changes in sorted(found.items())]
    return [one for one in corrections if one.changes]


def _is_recent(row: RowFact, today: date) -> bool:
    if row.month:
        return (today.year - row.day.year) * 12 + today.month - row.day.month <= MAX_MONTHS
    return today - row.day <= timedelta(days=MAX_DAYS)


def _changed(changes: Mapping[str, NetChange]) -> dict[str, NetChange]:
    """Return the fields with a difference, in the order of the texts."""
    ordered = ((field, changes[field]) for field in message_texts.NUMBERS if field in changes)
    return {field: (before, after) for field, (before, after) in ordered if before != after}


def lines(corrections: Sequence[Correction], today: date, late: Sequence[LateFact] = ()) -> list[str]:
    """Return a line for each run of days with the same difference, followed by its reason if that is known.

    Each late fact is the reason of one run: the first one that does not begin before it.
    """
    runs = _runs(corrections)
    shown = runs if len(runs) <= MAX_RUNS else runs[: MAX_RUNS - 1]
    found, rest = list[str](), list(late)
    for run in shown:
        causes = [one for one in rest if _is_cause(one, run[0])]
        rest = [one for one in rest if one not in causes]
        found += [_line(run, today), *_reason(causes)]
    omitted = len(runs) - len(shown)
    return [*found, italian.plural(message_texts.MORE_CORRECTIONS, omitted)] if omitted else found


def _is_cause(late: LateFact, first: Correction) -> bool:
    if first.month:
        return late.day.replace(day=1) == first.day
    return late.day <= first.day


def _reason(causes: Sequence[LateFact]) -> list[str]:
    """Return the line with the text of the only cause, or with the numbers of several."""
    if not causes:
        return []
    counts = Counter(_kind(one.fact) for one in causes)
    counted = ", ".join(italian.plural(forms, count) for forms, count in counts.items())
    reason = _text(causes[0]) if len(causes) == 1 and causes[0].text else counted
    return [message_texts.CORRECTION_WHY.format(reason=reason)]


def _text(late: LateFact) -> str:
    text = italian.with_readers_euros(late.text)
    return message_texts.WITHDRAWN.format(text=text) if late.fact.type is FactType.EVENT_WITHDRAWN else text


def _kind(fact: Fact) -> tuple[str, str]:
    if fact.type is FactType.EVENT_WITHDRAWN:
        return message_texts.WITHDRAWN_FACTS
    is_recovered = isinstance(fact.subject, EventFact) and fact.subject.recovered
    return message_texts.RECOVERED_FACTS if is_recovered else message_texts.LATE_FACTS


def _runs(corrections: Sequence[Correction]) -> list[list[Correction]]:
    runs = [[corrections[0]]] if corrections else []
    for previous, one in pairwise(corrections):
        follows = not one.month and not previous.month and one.day - previous.day == timedelta(days=1)
        if follows and one.steps == previous.steps:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _line(run: Sequence[Correction], today: date) -> str:
    first, last = run[0], run[-1]
    levels = _levels(first)
    if first.month:
        return message_texts.CORRECTION_MONTH.format(month=_month(first.day), differences=levels)
    if first is last:
        del_day = italian.with_article(italian.DEL, first.day, today)
        return message_texts.CORRECTION.format(del_day=del_day, differences=levels)
    return message_texts.CORRECTION_RUN.format(
        dal_day=italian.with_article(italian.DAL, first.day, today),
        al_day=italian.with_article(italian.AL, last.day, today),
        il_day=italian.with_article(italian.IL, first.day, today),
        differences=", ".join(
            message_texts.CORRECTION_STEP.format(name=message_texts.NUMBERS[field], step=step)
            for field, step in first.steps
        ),
        example=levels,
    )


def _levels(correction: Correction) -> str:
    return ", ".join(
        message_texts.CORRECTION_DIFFERENCE.format(
            name=message_texts.NUMBERS[field],
            before=numbers.value(field, before),
            after=numbers.value(field, after),
        )
        for field, (before, after) in correction.changes.items()
    )


def _month(day: date) -> str:
    return f"{italian.MONTHS[day.month - 1].lower()} {day.year}"
