"""The history of one customer: movements and events of the same fact as one step, with the MRR after it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rules.model.events import EventType
from rules.model.ledger import Movement, Reason

SAME_FACT = timedelta(minutes=5)
"""The dashboard writes its event milliseconds after the document; a recovered movement has the end of its gap."""

_CREATED = (EventType.LICENSE_CREATED, EventType.PLAN_UPGRADED, EventType.PLAN_DOWNGRADED)
_ENDED = (EventType.LICENSE_CANCELLED,)
EVENTS_OF: Mapping[Reason, tuple[EventType, ...]] = {
    Reason.CUSTOMER_CREATED: (EventType.NEW_CUSTOMER,),
    Reason.CUSTOMER_RETURNED: (EventType.NEW_CUSTOMER,),
    Reason.LICENSE_CREATED: _CREATED,
    Reason.LICENSE_RETURNED: _CREATED,
    Reason.LICENSE_DELETED: _ENDED,
    Reason.CANCELLED: _ENDED,
    Reason.ACTIVATED: (EventType.LICENSE_ACTIVATED, EventType.LICENSE_RENEWED),
    Reason.SUSPENDED: (EventType.LICENSE_SUSPENDED,),
    Reason.EXPIRED: (EventType.LICENSE_EXPIRED,),
    Reason.PLAN_CHANGED: (EventType.PLAN_UPGRADED, EventType.PLAN_DOWNGRADED),
}
"""The types of the event that a movement can belong to."""

StoredEvent = Mapping[str, Any]


class Line(NamedTuple):
    """A ledger line and its number."""

    number: int
    movement: Movement


class Step(NamedTuple):
    """One step: a ledger line, an event, or both; the MRR in cents that it adds, and the MRR after it."""

    at: datetime
    line: Line | None
    event: StoredEvent | None
    mrr_cents: int
    mrr_after: int


class History(NamedTuple):
    """The steps, newest first, and the MRR in cents before the oldest of them."""

    steps: list[Step]
    before: int


def history(lines: Sequence[Line], events: Iterable[StoredEvent], mrr_cents: int) -> History:
    """Return the steps that lead to a customer's MRR of now. Events without a time are left out."""
    rest = [event for event in events if isinstance(event.get("event_date"), datetime)]
    pairs = list(_pairs(lines, rest))
    undated: list[Step] = [Step(line.movement.at, line, event, line.movement.mrr_cents, 0) for line, event in pairs]
    undated += [Step(event["event_date"], None, event, 0, 0) for event in rest]
    undated.sort(key=_order, reverse=True)
    steps, after = [], mrr_cents
    for step in undated:
        steps.append(step._replace(mrr_after=after))
        after -= step.mrr_cents
    return History(steps, after)


def _order(step: Step) -> tuple[datetime, int]:
    return step.at, step.line.number if step.line is not None else 0


def _pairs(lines: Sequence[Line], events: list[StoredEvent]) -> Iterator[tuple[Line, StoredEvent | None]]:
    """Yield each line with its event, which is removed from `events`."""
    for line in lines:
        of_fact = [event for event in events if _is_of(event, line.movement)]
        nearest = min(of_fact, key=lambda event: abs(event["event_date"] - line.movement.at), default=None)
        if nearest is not None:
            events.remove(nearest)
        yield line, nearest


def _is_of(event: StoredEvent, movement: Movement) -> bool:
    types = EVENTS_OF.get(movement.reason, ())
    is_same = event.get("event_type") in types and event.get("license_id") == movement.license_id
    return is_same and movement.count > 0 and abs(event["event_date"] - movement.at) <= SAME_FACT
