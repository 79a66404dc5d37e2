"""Growth: MRR or customers exceed those of some days ago by a threshold, outside a cooldown."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from rules.model import event_keys
from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.model.ledger import Totals
from rules.settings import catalog
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds


class Growth(NamedTuple):
    """The growth of one number: `amount` and `threshold` are in cents for MRR, else in customers."""

    kind: str
    amount: int
    threshold: int


def detect(
    now: Totals, then: Totals | None, at: datetime, day: date, memory: Memory, settings: Settings
) -> tuple[list[Event], Memory]:
    """Return the growth events since `then` and the next memory.

    `then` are the totals `growth_days` before (None while the history is shorter). `day` is the business day of `at`.
    The memory holds per kind ("mrr", "customers", "paying") the day of its last event. A kind has no event within the
    cooldown from that day on, nor for earlier days.
    """
    if then is None:
        return [], memory
    thresholds = settings.thresholds
    due = [
        growth
        for growth in _above_threshold(now, then, thresholds)
        if _cooldown_is_over(growth.kind, day, memory, thresholds)
    ]
    emitted = {growth.kind: day.isoformat() for growth in due}
    return [_event(growth, at, day, settings) for growth in due], {**memory, **emitted} if emitted else memory


def _above_threshold(now: Totals, then: Totals, thresholds: Thresholds) -> Iterator[Growth]:
    """Yield the kinds that grew by their threshold or more, and by at least 1."""
    mrr = now.mrr_cents - then.mrr_cents
    customers = now.customers - then.customers
    paying = now.paying_customers - then.paying_customers
    for growth in (
        Growth("mrr", mrr, thresholds.growth_mrr_cents),
        Growth("customers", customers, thresholds.growth_customers),
        Growth("paying", paying, thresholds.growth_paying),
    ):
        if growth.amount >= max(1, growth.threshold):
            yield growth


def _cooldown_is_over(kind: str, day: date, memory: Mapping[str, int | str], thresholds: Thresholds) -> bool:
    last = memory.get(kind)
    return not isinstance(last, str) or day - date.fromisoformat(last) >= timedelta(thresholds.growth_cooldown_days)


def _event(growth: Growth, at: datetime, day: date, settings: Settings) -> Event:
    past = settings.thresholds.growth_days
    amount = growth.amount / 100 if growth.kind == "mrr" else growth.amount
    return Event(
        key=f"growth:{growth.kind}:{day.isoformat()}",
        type=EventType.MILESTONE_REACHED,
        at=at,
        description=catalog.growth(growth.kind, growth.amount, past, settings.texts),
        metadata={"growth_period": f"{past}_days", event_keys.GROWTH_FIELDS[growth.kind]: amount},
    )
