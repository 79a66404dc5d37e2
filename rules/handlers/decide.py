"""`decide`: from a mirror and changes to events, movements and the next mirror.

`decide` is pure, and splitting a list of changes into batches never changes the result, because
- a stream change at or before the mirror's `position` was already applied and is skipped;
- the expiry of a license is applied before the first change at or after that instant, whatever that change is;
- the memory of the rules is part of the mirror.
The caller passes every state that `required` names, and every active license that expires by the last change.
A state that was not loaded raises KeyError.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from rules.handlers import licenses, mass_deletion, payments
from rules.handlers.batch import Batch
from rules.handlers.customers import apply_customer
from rules.handlers.external_events import apply_external_event
from rules.handlers.plans import apply_plan
from rules.model.changes import Change, Operation, Origin, Source
from rules.model.decision import Decision, Mirror
from rules.settings import custom_rules
from rules.settings.settings import Settings

NEVER = datetime.min.replace(tzinfo=UTC)


def decide(mirror: Mirror, changes: Sequence[Change], settings: Settings) -> Decision:
    """Apply `changes` in order and return the result. `mirror` is not modified.

    Raises MassDeletion at the first deletion that needs approval; the changes before it can be applied without it.
    """
    batch = Batch(mirror, settings, max((change.at for change in changes), default=NEVER))
    for change in changes:
        if _is_new(batch, change):
            _expire_until(batch, change.at)
            mass_deletion.count(batch, change)
            _apply(batch, change)
    return batch.result()


def _is_new(batch: Batch, change: Change) -> bool:
    """Return whether a change was not applied before; advance the position if it is a stream change."""
    if change.origin is not Origin.STREAM or change.op in (Operation.REVALUE, Operation.TICK):
        return True
    if change.cause <= batch.decision.position:
        return False
    batch.decision.position = change.cause
    return True


def _expire_until(batch: Batch, instant: datetime) -> None:
    while (due := batch.next_expired(instant)) is not None:
        licenses.expire(batch, *due)


def _apply(batch: Batch, change: Change) -> None:
    if change.source is Source.LICENSES:
        licenses.apply(batch, change)
    elif change.source is Source.CUSTOMERS:
        apply_customer(batch, change)
    elif change.source is Source.PAYMENTS:
        payments.apply(batch, change)
    elif change.source is Source.PLANS:
        apply_plan(batch, change)
    elif change.source is Source.EVENTS:
        apply_external_event(batch, change)
    elif change.source is Source.CUSTOM:
        _custom(batch, change)


def _custom(batch: Batch, change: Change) -> None:
    zone = batch.settings.zone
    for event in custom_rules.events(change, batch.settings.custom, lambda at: at.astimezone(zone)):
        batch.emit(change, event)
