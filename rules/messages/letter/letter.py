"""The letter of a month: headline, waterfall, prose, best and worst days, lists."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from rules.messages.letter import prose, waterfall
from rules.messages.letter.facts import (
    NUMBERS,
    Day,
    MonthFacts,
    movements,
    start_and_end,
    subscribers_at_start,
)
from rules.messages.letter.pieces import Listed, Piece, Sentence, month_name, shortened, weekday_and_day
from rules.messages.letter.waterfall import Bar, Step
from rules.revenue.rates import MIN_SUBSCRIBERS
from rules.settings import italian, letter_texts

DAYS = 3
"""Best days, and worst days."""
LISTED = 6
"""Items of a list: with them the letter has at most two printed pages."""
MIN_BASE_CENTS = 1000
"""No percent of less MRR."""


class Line(NamedTuple):
    """A line of the waterfall. `is_previous`: the number is that of the month before."""

    name: str
    kind: str
    amount: Piece
    bar: Bar
    is_previous: bool = False


class DayLine(NamedTuple):
    day: date
    name: str
    amount: str
    customers: str


class Letter(NamedTuple):
    title: str
    headline: str
    status: str
    lines: tuple[Line, ...]
    is_cut: bool
    paragraphs: tuple[tuple[Sentence, ...], ...]
    best_days: tuple[DayLine, ...]
    worst_days: tuple[DayLine, ...]
    milestones: Listed
    marks: Listed
    corrections: Listed
    gaps: Listed
    proof: str


def compose(facts: MonthFacts) -> Letter:
    lines, is_cut = _waterfall(facts)
    return Letter(
        title=letter_texts.TITLE.format(month=month_name(facts.first)),
        headline=_headline(facts),
        status=facts.status,
        lines=lines,
        is_cut=is_cut,
        paragraphs=prose.paragraphs(facts),
        best_days=_days([day for day in facts.days if day.mrr_cents > 0]),
        worst_days=_days([day for day in facts.days if day.mrr_cents < 0]),
        milestones=shortened(facts.milestones, LISTED),
        marks=shortened(facts.marks, LISTED),
        corrections=shortened(facts.corrections, LISTED),
        gaps=shortened(facts.gaps, LISTED),
        proof=facts.proof,
    )


def _waterfall(facts: MonthFacts) -> tuple[tuple[Line, ...], bool]:
    """Return the lines from start to end; none if one of them is unknown."""
    ends, moved = start_and_end(facts), movements(facts.row)
    if ends is None:
        return (), False
    start, end = ends
    changes = {str(kind): amount for kind, amount in moved.items()} if moved is not None else {"change": end - start}
    steps = [Step("start", start), *(Step(kind, amount) for kind, amount in changes.items()), Step("end", end)]
    drawn = waterfall.waterfall(steps)
    lines = (_line(step, bar, is_partial=facts.is_partial) for step, bar in zip(steps, drawn.bars, strict=True))
    return tuple(lines), drawn.is_cut


def _line(step: Step, bar: Bar, *, is_partial: bool) -> Line:
    if step.kind == "start" and is_partial:
        amount = Piece(italian.cents(step.cents), "movimenti.apertura")
        return Line(letter_texts.START_OF_LEDGER, step.kind, amount, bar)
    if step.kind in letter_texts.ENDS:
        amount = Piece(italian.cents(step.cents), "mrr")
        return Line(letter_texts.ENDS[step.kind], step.kind, amount, bar, is_previous=step.kind == "start")
    number = {str(kind): name for kind, name in NUMBERS.items()}.get(step.kind, "")
    return Line(letter_texts.CHANGES[step.kind], step.kind, Piece(_change(step.cents), number), bar)


def _change(cents: int) -> str:
    return italian.signed_cents(cents) if cents else italian.cents(0)


def _headline(facts: MonthFacts) -> str:
    ends = start_and_end(facts)
    if ends is None:
        return ""
    start, end = ends
    percent = ""
    if start >= MIN_BASE_CENTS and not _has_few_subscribers(facts):
        share = f"{'+' if end > start else ''}{italian.percent((end - start) / start)}"
        percent = letter_texts.PERCENT.format(percent=share)
    return letter_texts.HEADLINE.format(start=italian.cents(start), end=italian.cents(end), percent=percent)


def _has_few_subscribers(facts: MonthFacts) -> bool:
    subscribers = subscribers_at_start(facts)
    return subscribers is not None and subscribers < MIN_SUBSCRIBERS


def _days(days: Sequence[Day]) -> tuple[DayLine, ...]:
    """Return the days that moved most, the greatest move first."""
    ranked = sorted(days, key=lambda one: (-abs(one.mrr_cents), one.day))
    return tuple(
        DayLine(one.day, weekday_and_day(one.day), italian.signed_cents(one.mrr_cents), ", ".join(_customers(one)))
        for one in ranked[:DAYS]
    )


def _customers(one: Day) -> Iterator[str]:
    if one.new:
        yield italian.plural(letter_texts.DAY_NEW, one.new)
    if one.lost:
        yield italian.plural(letter_texts.DAY_LOST, one.lost)
