"""Trends: what an attentive person would notice at the end of a day, looking back over the days before.

All rules here look at days that are over. Each day is looked at once, in order: a day the memory has already
seen is silence, and the first look over an old database only learns.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import NamedTuple

from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.settings.catalog import euro, render
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

MAD_TO_SIGMA = 1.4826
"""Makes the MAD of a normal sample its standard deviation (Leys et al. 2013, J. Exp. Soc. Psych. 49, 764-766)."""


class Day(NamedTuple):
    """One business day at its end: totals as they then stood, and counts of the day itself.

    `sales` are licences newly sold that day, `cancellations` licences that were cancelled.
    """

    date: date
    customers: int
    paying: int
    mrr_cents: int
    new_customers: int
    sales: int
    cancellations: int


class TrendContext(NamedTuple):
    """A day that is over (`today`), the days before it (oldest first), and what is remembered of them."""

    today: Day
    before: Sequence[Day]
    at: datetime
    memory: Memory
    settings: Settings

    @property
    def thresholds(self) -> Thresholds:
        return self.settings.thresholds

    def emit(self, trend: str, **values: object) -> str:
        return render(self.settings.texts, trend, **values)

    def number(self, key: str) -> int:
        value = self.memory.get(key)
        return value if isinstance(value, int) else 0

    def day(self, key: str) -> date:
        """A remembered day; the first of all days if none is."""
        value = self.memory.get(key)
        return date.fromisoformat(value) if isinstance(value, str) else date.min


Rule = Callable[[TrendContext], tuple[Event | None, Memory]]
"""Says one thing or nothing, and what is to be remembered anew."""


def noticed(history: Sequence[Day], at: datetime, memory: Memory, settings: Settings) -> tuple[list[Event], Memory]:
    """What stands out on the last day of `history` (oldest first, a day missing is a day unknown).

    Memory keys: seen, since, peak_mrr_cents, told_mrr_cents, told_mrr_on, best_new_customers, streak_days.
    The first call takes all the history there is, later ones at least `cancellations_window_days` before the day.
    """
    if not history or ("seen" in memory and history[-1].date.isoformat() <= str(memory["seen"])):
        return [], memory
    if "seen" not in memory:
        return [], learned(history)
    look = TrendContext(history[-1], history[:-1], at, memory, settings)
    said = [rule(look) for rule in RULES]
    following = dict(memory)
    for _, anew in said:
        following |= anew
    following["seen"] = look.today.date.isoformat()
    return [event for event, _ in said if event is not None], following


def learned(history: Sequence[Day]) -> Memory:
    """The memory after a first look over `history` (not empty), about which nothing is said."""
    peak = max(day.mrr_cents for day in history)
    return {
        "seen": history[-1].date.isoformat(),
        "since": history[0].date.isoformat(),
        "peak_mrr_cents": peak,
        "told_mrr_cents": peak,
        "best_new_customers": max(day.new_customers for day in history),
        "streak_days": _run(history),
    }


def record_mrr(look: TrendContext) -> tuple[Event | None, Memory]:
    """An MRR above that of any day before, by enough above the last record told, when that was told is a while ago.

    Measured from the record told last, a slow climb adds up to a record too.
    """
    mrr, thresholds = look.today.mrr_cents, look.thresholds
    peak: Memory = {"peak_mrr_cents": max(mrr, look.number("peak_mrr_cents"))}
    enough = mrr >= look.number("told_mrr_cents") + thresholds.record_mrr_cents
    rested = look.today.date - look.day("told_mrr_on") >= timedelta(thresholds.record_cooldown_days)
    if mrr <= look.number("peak_mrr_cents") or not (enough and rested and _old_enough(look)):
        return None, peak
    event = _event(look, "record_mrr", look.emit("record_mrr", amount=euro(mrr)), {"mrr": mrr / 100})
    return event, {**peak, "told_mrr_cents": mrr, "told_mrr_on": look.today.date.isoformat()}


def best_day(look: TrendContext) -> tuple[Event | None, Memory]:
    """More new customers than on any day before."""
    count = look.today.new_customers
    if count <= look.number("best_new_customers"):
        return None, {}
    best: Memory = {"best_new_customers": count}
    if count < look.thresholds.best_day_minimum or not _old_enough(look):
        return None, best
    text = look.emit("best_day", value=count)
    return _event(look, "best_day", text, {"new_customers": count}), best


def sales_streak(look: TrendContext) -> tuple[Event | None, Memory]:
    """So many days in a row with a sale: at each level once per streak, after the last level yearly."""
    run = look.number("streak_days") + 1 if look.day("seen") == look.today.date - timedelta(1) else None
    if run is None:
        run = _run([*look.before, look.today])
    if not look.today.sales:
        return None, {"streak_days": 0}
    if not _is_streak_level(run, look.thresholds.streak_days):
        return None, {"streak_days": run}
    text = look.emit("sales_streak", value=run)
    return _event(look, "sales_streak", text, {"streak_days": run}), {"streak_days": run}


def cancellations(look: TrendContext) -> tuple[Event | None, Memory]:
    """More cancellations than median + k · 1.4826 · MAD of the last weeks (Leys et al. 2013), and not just a few."""
    count, thresholds = look.today.cancellations, look.thresholds
    first = look.today.date - timedelta(thresholds.cancellations_window_days)
    usual = [day.cancellations for day in look.before if day.date >= first]
    if count < thresholds.cancellations_minimum or len(usual) < max(1, thresholds.cancellations_history_days):
        return None, {}
    if count <= unusual_above(usual, thresholds.deviations):
        return None, {}
    text = look.emit("cancellations", value=count, usual=f"{median(usual):g}")
    return _event(look, "cancellations", text, {"cancellations": count, "median": float(median(usual))}), {}


def unusual_above(counts: Sequence[int], deviations: float) -> float:
    """median + k · 1.4826 · MAD of `counts` (not empty): what lies above is an outlier."""
    middle = median(counts)
    spread = median(abs(count - middle) for count in counts)
    return middle + deviations * MAD_TO_SIGMA * spread


RULES: tuple[Rule, ...] = (record_mrr, best_day, sales_streak, cancellations)


def _old_enough(look: TrendContext) -> bool:
    """Whether there are days enough behind for "never before" to mean something."""
    return look.today.date - look.day("since") >= timedelta(look.thresholds.trend_history_days)


def _run(history: Sequence[Day]) -> int:
    """How many days in a row with sales end with the last one."""
    return sum(1 for _ in _backwards(history))


def _backwards(history: Sequence[Day]) -> Iterator[Day]:
    expected = history[-1].date
    for day in reversed(history):
        if day.date != expected or not day.sales:
            return
        yield day
        expected = day.date - timedelta(1)


def _is_streak_level(run: int, levels: tuple[int, ...]) -> bool:
    return run in levels or (run > levels[-1] and run % 365 == 0)


def _event(look: TrendContext, trend: str, text: str, facts: dict[str, float | int]) -> Event:
    return Event(
        key=f"trend:{trend}:{look.today.date.isoformat()}",
        type=EventType.MILESTONE_REACHED,
        at=look.at,
        description=text,
        metadata={"trend": trend, **facts},
    )
