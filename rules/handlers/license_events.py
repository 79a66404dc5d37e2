"""What happened to a licence: its document read, its worth taken, and the events between two versions."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from rules.model import documents
from rules.model.changes import DocId, Fields, License, LicenseStatus, LicenseValue, Plan
from rules.model.events import Event, EventType
from rules.model.ledger import Reason
from rules.model.states import PlanState
from rules.revenue.pricing import InvalidDocument, describe
from rules.settings import catalog
from rules.settings.settings import Settings

_STATUSES = {status.value: status for status in LicenseStatus}

TURNED_OFF = {
    LicenseStatus.CANCELLED: EventType.LICENSE_CANCELLED,
    LicenseStatus.EXPIRED: EventType.LICENSE_EXPIRED,
    LicenseStatus.ACTIVE: EventType.LICENSE_EXPIRED,
    LicenseStatus.SUSPENDED: EventType.LICENSE_SUSPENDED,
    LicenseStatus.INACTIVE: EventType.LICENSE_SUSPENDED,
}
"""The event for an active licence that left active, by its new status (still ACTIVE: its time ran out)."""

REASONS = {
    EventType.LICENSE_CANCELLED: Reason.CANCELLED,
    EventType.LICENSE_EXPIRED: Reason.EXPIRED,
    EventType.LICENSE_SUSPENDED: Reason.SUSPENDED,
}


def read_license(fields: Fields, settings: Settings) -> License:
    """The licence a document describes; raises Unintelligible naming the field at fault."""
    status = fields.get("status")
    if not isinstance(status, str) or status not in _STATUSES:
        wanted = ", ".join(_STATUSES)
        raise InvalidDocument(f"status must be one of {wanted}, got {describe(status)}")
    expires_at = fields.get("expires_at")
    if expires_at is not None and not isinstance(expires_at, datetime):
        raise InvalidDocument(f"expires_at must be a date or null, got {describe(expires_at)}")
    if expires_at is not None and expires_at.tzinfo is None:
        raise InvalidDocument(f"expires_at must be a date with its zone, got {describe(expires_at)}")
    for name in ("customer_id", "plan_id"):
        if not documents.is_id(fields.get(name)):
            raise InvalidDocument(f"{name} must be an id, got {describe(fields.get(name))}")
    metadata = fields.get("metadata")
    is_manual = isinstance(metadata, Mapping) and metadata.get("source") == settings.manual_source
    return License(fields.get("customer_id"), fields.get("plan_id"), _STATUSES[status], expires_at, is_manual)


def plan_of(license: License, previous: License | None, plans: Mapping[DocId, PlanState]) -> Plan:
    """The plan that prices a licence; raises Unintelligible while it is unknown, unread or deleted.

    A licence that was on a plan before the plan was deleted keeps the last price it was sold at.
    """
    state = plans.get(license.plan_id)
    if state is None or (state.plan is None and not state.present):
        raise InvalidDocument(f"plan_id names no plan that exists: {describe(license.plan_id)}")
    if state.plan is None:
        raise InvalidDocument(f"plan_id names plan {license.plan_id}, which is itself held: {state.held}")
    if not state.present and (previous is None or previous.plan_id != license.plan_id):
        raise InvalidDocument(f"plan_id names plan {license.plan_id} ({state.plan.name}), which was deleted")
    return state.plan


def value_of(license: License, plan: Plan, at: datetime) -> LicenseValue:
    """What a licence counts for at the instant `at`."""
    active = license.is_active(at)
    return LicenseValue(plan.id, active, plan.mrr_cents if active else 0, active and plan.price_cents > 0)


class LicenseTransition(NamedTuple):
    """One licence between two versions. `plan_before` prices `before`; `name` is its customer's.

    `cause` tells this turn from every other one of the licence; `pays` is false for licences entered by hand;
    `started` is true once the licence was active with a price before this turn; `sold` are its lifetime plans by then.
    """

    license_id: DocId
    at: datetime
    cause: str
    name: str
    before: License | None
    was: LicenseValue | None
    plan_before: Plan | None
    after: License | None
    now: LicenseValue | None
    plan: Plan
    started: bool
    sold: tuple[DocId, ...]
    pays: bool
    settings: Settings

    @property
    def starts(self) -> bool:
        """Whether the licence turns active."""
        return self.now is not None and self.now.active and not (self.was is not None and self.was.active)

    @property
    def ends(self) -> bool:
        """Whether the licence leaves active."""
        return self.was is not None and self.was.active and not (self.now is not None and self.now.active)

    @property
    def owner(self) -> DocId:
        """Whose licence it is, or was."""
        license = self.after or self.before
        assert license is not None, "only a licence that was understood can turn"
        return license.customer_id


def events(turn: LicenseTransition) -> Iterator[Event]:
    """The business events of one turn, in the order a person would tell them."""
    if turn.was is None:
        yield created(turn)
        yield from payment(turn, _once(EventType.PAYMENT_COMPLETED, turn))
        return
    if turn.ends:
        yield turned(turn, off_event(turn), turn.plan_before or turn.plan)
    elif turn.starts:
        yield turned(turn, EventType.LICENSE_ACTIVATED, turn.plan)
        yield from activation_payment(turn)
    elif turn.was.active:
        yield from plan_change(turn, turn.plan_before or turn.plan, turn.plan, turn.license_id, {})
        yield from purchase(turn)
        yield from renewal(turn)


def created(turn: LicenseTransition) -> Event:
    assert turn.after is not None
    return _event(
        turn,
        EventType.LICENSE_CREATED,
        _once(EventType.LICENSE_CREATED, turn),
        turn.plan,
        catalog.license_created(turn.plan, turn.name, not turn.pays, turn.settings.texts),
        {} if turn.pays else {"source": turn.settings.manual_source},
    )


def turned(turn: LicenseTransition, kind: EventType, plan: Plan) -> Event:
    return _event(
        turn,
        kind,
        _recurring(kind, turn),
        plan,
        catalog.license_turned(kind, plan, turn.name, turn.settings.texts),
    )


def off_event(turn: LicenseTransition) -> EventType:
    """Why a licence left active; one whose document was deleted was cancelled."""
    return EventType.LICENSE_CANCELLED if turn.after is None else TURNED_OFF[turn.after.status]


def activation_payment(turn: LicenseTransition) -> Iterator[Event]:
    """A licence that becomes active is paid for if it never was, if its term moved on, or if its plan is sold to it."""
    if not turn.started:
        yield from payment(turn, _once(EventType.PAYMENT_COMPLETED, turn))
    elif term_moved_later(turn) or sells(turn):
        yield from payment(turn, _recurring(EventType.PAYMENT_COMPLETED, turn))


def plan_change(
    turn: LicenseTransition, old: Plan, new: Plan, license_id: DocId, facts: dict[str, object]
) -> Iterator[Event]:
    """A customer that moves from an active licence's plan to a dearer one upgrades, to a cheaper one downgrades.

    Plans of one price are told apart by the configured order; neither then is silence. `license_id` names the licence
    that is on the new plan.
    """
    before, after = _rank(old, turn.settings), _rank(new, turn.settings)
    if old.id == new.id or before == after:
        return
    kind = EventType.PLAN_UPGRADED if after > before else EventType.PLAN_DOWNGRADED
    text = catalog.plan_changed(old, new, turn.name, after > before, turn.settings.texts)
    key = f"{kind}:{documents.id_key(license_id)}:{turn.cause}"
    event = _event(turn, kind, key, new, text, {"previous_plan": old.name} | facts)
    event.license_id = license_id
    yield event


def purchase(turn: LicenseTransition) -> Iterator[Event]:
    """An active licence that moves to a plan for life is paid for at once."""
    if sells(turn):
        yield from payment(turn, _recurring(EventType.PAYMENT_COMPLETED, turn))


def renewal(turn: LicenseTransition) -> Iterator[Event]:
    """An active licence whose expiry moves later was renewed, and paid for unless its plan is for life."""
    if not term_moved_later(turn):
        return
    yield turned(turn, EventType.LICENSE_RENEWED, turn.plan)
    if not turn.plan.is_lifetime:
        yield from payment(turn, _recurring(EventType.PAYMENT_COMPLETED, turn))


def payment(turn: LicenseTransition, key: str) -> Iterator[Event]:
    """A paid licence that starts or renews stands for a payment; one entered by hand does not."""
    if turn.now is None or not turn.now.paid or not turn.pays:
        return
    kind = EventType.PAYMENT_COMPLETED
    text = catalog.payment(kind, turn.plan.price_cents, turn.name, turn.settings.texts)
    yield _event(turn, kind, key, turn.plan, text)


def sale_cents(turn: LicenseTransition) -> int:
    """What a turn sells for life, in cents: the plan's price; nothing for a licence entered by hand."""
    return turn.plan.price_cents if turn.pays and sells(turn) else 0


def sells(turn: LicenseTransition) -> bool:
    """Whether a licence is active on a lifetime plan for the first time of its life.

    A plan's new price sells nothing to those who have it, and neither does a plan that turns lifetime under them.
    """
    if turn.now is None or not turn.now.paid or not turn.plan.is_lifetime or turn.plan.id in turn.sold:
        return False
    return turn.was is None or not turn.was.active or turn.was.plan_id != turn.plan.id


def changed_hands(turn: LicenseTransition) -> bool:
    """Whether the licence went from one customer to another."""
    before, after = turn.before, turn.after
    return before is not None and after is not None and before.customer_id != after.customer_id


def term_moved_later(turn: LicenseTransition) -> bool:
    """Whether the licence's end moved later; from a date to "never" is a gift, not a renewal."""
    before = turn.before.expires_at if turn.before else None
    after = turn.after.expires_at if turn.after else None
    return before is not None and after is not None and after > before


def _rank(plan: Plan, settings: Settings) -> tuple[int, int]:
    order = settings.plan_order
    return plan.price_cents, order.index(plan.name) if plan.name in order else len(order)


def _once(kind: EventType, turn: LicenseTransition) -> str:
    """The key of what happens once in a licence's life."""
    return f"{kind}:{documents.id_key(turn.license_id)}"


def _recurring(kind: EventType, turn: LicenseTransition) -> str:
    return f"{kind}:{documents.id_key(turn.license_id)}:{turn.cause}"


def _event(
    turn: LicenseTransition,
    kind: EventType,
    key: str,
    plan: Plan,
    text: str,
    metadata: dict[str, object] | None = None,
) -> Event:
    license = turn.after or turn.before
    facts: dict[str, object] = {"customer_name": turn.name} if turn.name else {}
    return Event(
        key=key,
        type=kind,
        at=turn.at,
        description=text,
        customer_id=license.customer_id if license else None,
        license_id=turn.license_id,
        plan_name=plan.name,
        amount_cents=plan.price_cents,
        metadata=facts | (metadata or {}),
    )
