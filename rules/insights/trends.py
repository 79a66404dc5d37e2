"""Trends: MRR records, best days, sales streaks and unusual cancellations, detected at the end of a day.

The rules use completed days only. Each day is evaluated once, in order: a day that the memory has seen emits no event,
and the first evaluation of an existing database only fills the memory.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import NamedTuple

from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.settings import italian
from rules.settings.catalog import euro, render
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

MAD_TO_SIGMA = 1.4826
"""Converts the MAD of a normal sample to its standard deviation (Leys et al. 2013, J. Exp. Soc. Psych. 49, 764-766)."""


class Day(NamedTuple):
    """One completed business day: the totals at its end and the counts of the day.

    `sales` is the number of new licenses with a price, `cancellations` the number of canceled licenses.
    """

    date: date
    customers: int
    paying: int
    mrr_cents: int
    new_customers: int
    sales: int
    cancellations: int


class TrendContext(NamedTuple):
    """A completed day (`today`), the days before it (oldest first) and the memory about them."""

    today: Day
    before: Sequence[Day]
    at: datetime
    memory: Memory
    settings: Settings

    @property
    def thresholds(self) -> Thresholds:
        return self.settings.thresholds

    def text(self, trend: str, **values: object) -> str:
        return render(self.settings.texts, trend, **values)

    def number(self, key: str) -> int:
        value = self.memory.get(key)
        return value if isinstance(value, int) else 0

    def day(self, key: str) -> date:
        """Return a remembered day, `date.min` if there is none."""
        value = self.memory.get(key)
        return date.fromisoformat(value) if isinstance(value, str) else date.min


Rule = Callable[[TrendContext], tuple[Event | None, Memory]]
"""Returns an event or None, and the changed memory keys."""


def detect(history: Sequence[Day], at: datetime, memory: Memory, settings: Settings) -> tuple[list[Event], Memory]:
    """Return the events of the last day of `history` (oldest first, may have gaps) and the next memory.

    Memory keys: seen, since, peak_mrr_cents, told_mrr_cents, told_mrr_on, best_new_customers, streak_days.
    The first call needs the whole history, later calls at least `cancellations_window_days` before the day.
    """
    if not history or ("seen" in memory and history[-1].date.isoformat() <= str(memory["seen"])):
        return [], memory
    if "seen" not in memory:
        return [], initial_memory(history)
    context = TrendContext(history[-1], history[:-1], at, memory, settings)
    results = [rule(context) for rule in RULES]
    following = dict(memory)
    for _, changed in results:
        following |= changed
    following["seen"] = context.today.date.isoformat()
    return [event for event, _ in results if event is not None], following


def initial_memory(history: Sequence[Day]) -> Memory:
    """Return the memory after the first evaluation of `history` (not empty), which emits no events."""
    peak = max(day.mrr_cents for day in history)
    return {
        "seen": history[-1].date.isoformat(),
        "since": history[0].date.isoformat(),
        "peak_mrr_cents": peak,
        "told_mrr_cents": peak,
        "best_new_customers": max(day.new_customers for day in history),
        "streak_days": _streak_length(history),
    }


def record_mrr(context: TrendContext) -> tuple[Event | None, Memory]:
    """Emit an MRR above that of all days before and above the last emitted record by the threshold, after a cooldown.

    The threshold applies to the last emitted record, so a slow climb adds up to a record too.
    """
    mrr, thresholds = context.today.mrr_cents, context.thresholds
    peak: Memory = {"peak_mrr_cents": max(mrr, context.number("peak_mrr_cents"))}
    enough = mrr >= context.number("told_mrr_cents") + thresholds.record_mrr_cents
    rested = context.today.date - context.day("told_mrr_on") >= timedelta(thresholds.record_cooldown_days)
    if mrr <= context.number("peak_mrr_cents") or not (enough and rested and _has_enough_history(context)):
        return None, peak
    event = _event(context, "record_mrr", context.text("record_mrr", amount=euro(mrr)), {"mrr": mrr / 100})
    return event, {**peak, "told_mrr_cents": mrr, "told_mrr_on": context.today.date.isoformat()}


def best_day(context: TrendContext) -> tuple[Event | None, Memory]:
    """Emit a number of new customers above that of all days before."""
    count = context.today.new_customers
    if count <= context.number("best_new_customers"):
        return None, {}
    best: Memory = {"best_new_customers": count}
    if count < context.thresholds.best_day_minimum or not _has_enough_history(context):
        return None, best
    text = context.text("best_day", value=count)
    return _event(context, "best_day", text, {"new_customers": count}), best


def sales_streak(context: TrendContext) -> tuple[Event | None, Memory]:
    """Emit the number of consecutive days with a sale: once per level and streak, yearly after the last level."""
    run = context.number("streak_days") + 1 if context.day("seen") == context.today.date - timedelta(1) else None
    if run is None:
        run = _streak_length([*context.before, context.today])
    if not context.today.sales:
        return None, {"streak_days": 0}
    if not _is_streak_level(run, context.thresholds.streak_days):
        return None, {"streak_days": run}
    text = context.text("sales_streak", value=run)
    return _event(context, "sales_streak", text, {"streak_days": run}), {"streak_days": run}


def cancellations(context: TrendContext) -> tuple[Event | None, Memory]:
    """Emit cancellations above median + k · 1.4826 · MAD of the window (Leys et al. 2013) and above a minimum."""
    count, thresholds = context.today.cancellations, context.thresholds
    first = context.today.date - timedelta(thresholds.cancellations_window_days)
    usual = [day.cancellations for day in context.before if day.date >= first]
    if count < thresholds.cancellations_minimum or len(usual) < max(1, thresholds.cancellations_history_days):
        return None, {}
    if count <= outlier_bound(usual, thresholds.deviations):
        return None, {}
    text = context.text("cancellations", value=count, usual=italian.usual(usual))
    return _event(context, "cancellations", text, {"cancellations": count, "median": float(median(usual))}), {}


def outlier_bound(counts: Sequence[int], deviations: float) -> float:
    """Return median + k · 1.4826 · MAD of `counts` (not empty); a higher count is an outlier."""
    middle = median(counts)
    spread = median(abs(count - middle) for count in counts)
    return middle + deviations * MAD_TO_SIGMA * spread


RULES: tuple[Rule, ...] = (record_mrr, best_day, sales_streak, cancellations)


def _has_enough_history(context: TrendContext) -> bool:
    """Return whether the history is long enough for a record to be meaningful."""
    return context.today.date - context.day("since") >= timedelta(context.thresholds.trend_history_days)


def _streak_length(history: Sequence[Day]) -> int:
    """Return the number of consecutive days with sales that end with the last day."""
    return sum(1 for _ in _streak_days(history))


def _streak_days(history: Sequence[Day]) -> Iterator[Day]:
    expected = history[-1].date
    for day in reversed(history):
        if day.date != expected or not day.sales:
            return
        yield day
        expected = day.date - timedelta(1)


def _is_streak_level(run: int, levels: tuple[int, ...]) -> bool:
    return run in levels or (run > levels[-1] and run % 365 == 0)


def _event(context: TrendContext, trend: str, text: str, facts: dict[str, float | int]) -> Event:
    return Event(
        key=f"trend:{trend}:{context.today.date.isoformat()}",
        type=EventType.MILESTONE_REACHED,
        at=context.at,
        description=text,
        metadata={"trend": trend, **facts},
    )
