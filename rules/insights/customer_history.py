"""The history of one customer: movements and events of the same fact as one step, with the MRR after it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rules.model.events import EventType
from rules.model.ledger import Movement, Reason

SAME_FACT = timedelta(minutes=5)
"""The dashboard writes its event milliseconds after the document; a recovered movement has the end of its gap."""
QUIET = 2 * SAME_FACT
"""No record of a step is as old as one of a step that is older by more than this."""
RESOLUTION = timedelta(milliseconds=1)
"""Of stored instants."""

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


class Records(NamedTuple):
    """The newest ledger lines and stored events of a customer; `complete_after`: all since then (None: all)."""

    lines: Sequence[Line]
    events: Iterable[StoredEvent]
    complete_after: datetime | None = None


class History(NamedTuple):
    """The steps, newest first, and the MRR in cents before the oldest of them.

    `older` is the instant before which the records of the older steps are; None if there are none.
    """

    steps: list[Step]
    before: int
    older: datetime | None = None


def part(records: Records, mrr_cents: int, size: int) -> History:
    """Return the newest steps, about `size`, so that every record is on one side of `older`."""
    since = records.complete_after
    complete = records if since is None else _after(records, since)
    whole = history(complete.lines, complete.events, mrr_cents)
    ends = range(size, len(whole.steps))
    quiet = (end for end in ends if whole.steps[end - 1].at - whole.steps[end].at > QUIET)
    if (end := next(quiet, None)) is not None:
        kept = whole.steps[:end]
        return History(kept, kept[-1].mrr_after - kept[-1].mrr_cents, kept[-1].at - SAME_FACT)
    if since is None or whole.steps:
        return whole._replace(older=None if since is None else since + RESOLUTION)
    return history(records.lines, records.events, mrr_cents)._replace(older=since)  # all are of one instant


def _after(records: Records, since: datetime) -> Records:
    lines = [line for line in records.lines if line.movement.at > since]
    return Records(lines, [event for event in records.events if _is_dated(event) and event["event_date"] > since])


def _is_dated(event: StoredEvent) -> bool:
    return isinstance(event.get("event_date"), datetime)


def history(lines: Sequence[Line], events: Iterable[StoredEvent], mrr_cents: int) -> History:
    """Return the steps that lead to a customer's MRR of now. Events without a time are left out."""
    rest = list(filter(_is_dated, events))
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
