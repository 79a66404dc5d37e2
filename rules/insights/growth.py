"""Growth: the shop is larger than some days ago by enough to say so, and it was not said lately."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from rules.model import event_keys
from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.model.ledger import Totals
from rules.settings.catalog import euro, render
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds


class Growth(NamedTuple):
    """One number that grew: `amount` and `enough` in cents for MRR, else in customers."""

    kind: str
    amount: int
    enough: int


def grown(
    now: Totals, then: Totals | None, at: datetime, day: date, memory: Memory, settings: Settings
) -> tuple[list[Event], Memory]:
    """What grew enough since `then` (`growth_days` before; None while history is shorter), and the next memory.

    `day` is the business day of `at`. The memory holds per kind ("mrr", "customers", "paying") the day it was
    last told; within the cooldown from that day on, and for days before it, the kind is silent.
    """
    if then is None:
        return [], memory
    thresholds = settings.thresholds
    fresh = [growth for growth in _growths(now, then, thresholds) if _rested(growth.kind, day, memory, thresholds)]
    told = {growth.kind: day.isoformat() for growth in fresh}
    return [_event(growth, at, day, settings) for growth in fresh], {**memory, **told} if told else memory


def _growths(now: Totals, then: Totals, thresholds: Thresholds) -> Iterator[Growth]:
    """The kinds that grew by their threshold or more."""
    mrr = now.mrr_cents - then.mrr_cents
    customers = now.customers - then.customers
    paying = now.paying_customers - then.paying_customers
    for growth in (
        Growth("mrr", mrr, thresholds.growth_mrr_cents),
        Growth("customers", customers, thresholds.growth_customers),
        Growth("paying", paying, thresholds.growth_paying),
    ):
        if growth.amount >= max(1, growth.enough):
            yield growth


def _rested(kind: str, day: date, memory: Mapping[str, int | str], thresholds: Thresholds) -> bool:
    last = memory.get(kind)
    return not isinstance(last, str) or day - date.fromisoformat(last) >= timedelta(thresholds.growth_cooldown_days)


def _event(growth: Growth, at: datetime, day: date, settings: Settings) -> Event:
    past = settings.thresholds.growth_days
    shown = euro(growth.amount) if growth.kind == "mrr" else growth.amount
    amount = growth.amount / 100 if growth.kind == "mrr" else growth.amount
    return Event(
        key=f"growth:{growth.kind}:{day.isoformat()}",
        type=EventType.MILESTONE_REACHED,
        at=at,
        description=render(settings.texts, f"growth_{growth.kind}", amount=shown, days=past),
        metadata={"growth_period": f"{past}_days", event_keys.GROWTH_FIELDS[growth.kind]: amount},
    )
