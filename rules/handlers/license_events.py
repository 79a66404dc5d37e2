"""The business events of a transition between two versions of a license."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from rules.model import documents
from rules.model.changes import DocId, License, LicenseStatus, LicenseValue, Plan
from rules.model.events import Event, EventType
from rules.model.ledger import Reason
from rules.settings import catalog
from rules.settings.settings import Settings

END_EVENTS = {
    LicenseStatus.CANCELLED: EventType.LICENSE_CANCELLED,
    LicenseStatus.EXPIRED: EventType.LICENSE_EXPIRED,
    LicenseStatus.ACTIVE: EventType.LICENSE_EXPIRED,
    LicenseStatus.SUSPENDED: EventType.LICENSE_SUSPENDED,
    LicenseStatus.INACTIVE: EventType.LICENSE_SUSPENDED,
}
"""Event type of an active license that becomes inactive, by its new status (still ACTIVE: it expired)."""

SUSPENDED = (LicenseStatus.SUSPENDED, LicenseStatus.INACTIVE)

REASONS = {
    EventType.LICENSE_CANCELLED: Reason.CANCELLED,
    EventType.LICENSE_EXPIRED: Reason.EXPIRED,
    EventType.LICENSE_SUSPENDED: Reason.SUSPENDED,
}


class LicenseTransition(NamedTuple):
    """Transition of one license between two versions, `before` and `after` (None: no valid version or deleted).

    `plan_before` is the plan of `value_before`, `plan` that of `value_after` (of a deleted license its last plan);
    `name` is the customer's name. `cause` is unique among the transitions of the license. `pays` is false for licenses
    entered by hand. `returned` is true if the license was deleted before, `started` if it was active with a price
    before; `sold` are the lifetime plans sold to it before.
    """

    license_id: DocId
    at: datetime
    cause: str
    name: str
    before: License | None
    value_before: LicenseValue | None
    plan_before: Plan | None
    after: License | None
    value_after: LicenseValue | None
    plan: Plan
    returned: bool
    started: bool
    sold: tuple[DocId, ...]
    pays: bool
    settings: Settings

    @property
    def was_active(self) -> bool:
        return self.value_before is not None and self.value_before.active

    @property
    def is_active(self) -> bool:
        return self.value_after is not None and self.value_after.active

    @property
    def starts(self) -> bool:
        """True if the license becomes active."""
        return self.is_active and not self.was_active

    @property
    def ends(self) -> bool:
        """True if an active license becomes inactive or is deleted."""
        return self.was_active and not self.is_active

    @property
    def owner(self) -> DocId:
        """Id of the license's customer; of a deleted license its last customer."""
        license = self.after or self.before
        assert license is not None, "only a valid license has transitions"
        return license.customer_id

    @property
    def former_owner(self) -> DocId:
        """Id of the customer that the license had before, as far as it is known."""
        return self.before.customer_id if self.before is not None else self.owner

    def plan_title(self, plan: Plan) -> str:
        """Return a plan's name in texts."""
        return self.settings.plan_title(plan)


def events(transition: LicenseTransition) -> Iterator[Event]:
    """Yield the business events of one transition; an event of the license comes before its payment."""
    if transition.value_before is None and not transition.returned:
        yield created_event(transition)
        yield from payment(transition, _one_time_key(EventType.PAYMENT_COMPLETED, transition))
        return
    if transition.ends:
        yield license_event(transition, end_event_type(transition), transition.plan_before or transition.plan)
    elif transition.starts:
        yield license_event(transition, EventType.LICENSE_ACTIVATED, transition.plan)
        yield from activation_payment(transition)
    elif transition.was_active:
        yield from plan_change(
            transition, transition.plan_before or transition.plan, transition.plan, transition.license_id, {}
        )
        yield from purchase(transition)
        yield from renewal(transition)
        yield from first_payment(transition)


def created_event(transition: LicenseTransition) -> Event:
    assert transition.after is not None
    return _event(
        transition,
        EventType.LICENSE_CREATED,
        _one_time_key(EventType.LICENSE_CREATED, transition),
        transition.plan,
        catalog.license_created(
            transition.plan_title(transition.plan), transition.name, not transition.pays, transition.settings.texts
        ),
        {} if transition.pays else {"source": transition.settings.manual_source},
    )


def license_event(transition: LicenseTransition, kind: EventType, plan: Plan) -> Event:
    return _event(
        transition,
        kind,
        _recurring_key(kind, transition),
        plan,
        catalog.license_changed(kind, transition.plan_title(plan), transition.name, transition.settings.texts),
    )


def end_event_type(transition: LicenseTransition) -> EventType:
    """Return the event type of the end of a license; a deleted license counts as canceled."""
    return EventType.LICENSE_CANCELLED if transition.after is None else END_EVENTS[transition.after.status]


def activation_payment(transition: LicenseTransition) -> Iterator[Event]:
    """Yield the payment of a license that becomes active for the first time, for a new term or on a lifetime plan."""
    if not transition.started:
        yield from payment(transition, _one_time_key(EventType.PAYMENT_COMPLETED, transition))
    elif term_moved_later(transition) or is_lifetime_sale(transition):
        yield from payment(transition, _recurring_key(EventType.PAYMENT_COMPLETED, transition))


def plan_change(
    transition: LicenseTransition, old: Plan, new: Plan, license_id: DocId, facts: dict[str, object]
) -> Iterator[Event]:
    """Yield an upgrade if `new` is more expensive than `old`, a downgrade if it is cheaper.

    Plans of the same price are compared by the configured order; plans that are equal in both yield nothing.
    `license_id` is the license on the new plan, `facts` are added to the metadata. If another license ended, its id is
    in the key: a reconciliation may also find a change of plan of the license itself, with the same cause.
    """
    before, after = _rank(old, transition.settings), _rank(new, transition.settings)
    if old.id == new.id or before == after:
        return
    kind = EventType.PLAN_UPGRADED if after > before else EventType.PLAN_DOWNGRADED
    titles = (transition.plan_title(old), transition.plan_title(new))
    text = catalog.plan_changed(*titles, transition.name, after > before, transition.settings.texts)
    licenses = dict.fromkeys(map(documents.id_key, (license_id, transition.license_id)))
    key = ":".join((kind, *licenses, transition.cause))
    event = _event(transition, kind, key, new, text, {"previous_plan": old.name} | facts)
    event.license_id = license_id
    yield event


def purchase(transition: LicenseTransition) -> Iterator[Event]:
    """Yield the payment of an active license that changes to a lifetime plan."""
    if is_lifetime_sale(transition):
        yield from payment(transition, _recurring_key(EventType.PAYMENT_COMPLETED, transition))


def first_payment(transition: LicenseTransition) -> Iterator[Event]:
    """Yield the payment of an active license that steps from a free to a paid plan.

    A lifetime plan is a purchase, and a renewal at the same time already pays.
    """
    was = transition.value_before
    is_step = was is not None and not was.paid and was.plan_id != transition.plan.id
    if is_step and not transition.plan.is_lifetime and not term_moved_later(transition):
        yield from payment(transition, _recurring_key(EventType.PAYMENT_COMPLETED, transition))


def renewal(transition: LicenseTransition) -> Iterator[Event]:
    """Yield the renewal of an active license whose expiry moves later, and its payment unless the plan is lifetime."""
    if not term_moved_later(transition):
        return
    yield license_event(transition, EventType.LICENSE_RENEWED, transition.plan)
    if not transition.plan.is_lifetime:
        yield from payment(transition, _recurring_key(EventType.PAYMENT_COMPLETED, transition))


def payment(transition: LicenseTransition, key: str) -> Iterator[Event]:
    """Yield the payment inferred from a paid license that starts or renews; none if it was entered by hand."""
    if transition.value_after is None or not transition.value_after.paid or not transition.pays:
        return
    kind = EventType.PAYMENT_COMPLETED
    text = catalog.payment(kind, transition.plan.price_cents, transition.name, transition.settings.texts)
    yield _event(transition, kind, key, transition.plan, text)


def lifetime_sale_cents(transition: LicenseTransition) -> int:
    """Return the one-time revenue of a transition, in cents; 0 for a license entered by hand."""
    return transition.plan.price_cents if transition.pays and is_lifetime_sale(transition) else 0


def is_lifetime_sale(transition: LicenseTransition) -> bool:
    """Return whether a license is active on this lifetime plan for the first time.

    A new price of the plan is not a sale to the licenses on it, nor is the change of their plan to a lifetime plan.
    """
    now, was, plan = transition.value_after, transition.value_before, transition.plan
    if now is None or not now.paid or not plan.is_lifetime or plan.id in transition.sold:
        return False
    return was is None or not was.active or was.plan_id != plan.id


def customer_changed(transition: LicenseTransition) -> bool:
    """Return whether the license moved from one customer to another."""
    before, after = transition.before, transition.after
    if transition.returned or before is None or after is None:
        return False
    return before.customer_id != after.customer_id


def term_moved_later(transition: LicenseTransition) -> bool:
    """Return whether the expiry moved to a later date; removing the expiry is not a renewal."""
    before = transition.before.expires_at if transition.before else None
    after = transition.after.expires_at if transition.after else None
    return before is not None and after is not None and after > before


def _rank(plan: Plan, settings: Settings) -> tuple[int, int]:
    order = settings.plan_order
    return plan.price_cents, order.index(plan.name) if plan.name in order else len(order)


def _one_time_key(kind: EventType, transition: LicenseTransition) -> str:
    """Return the key of an event that happens at most once per license."""
    return f"{kind}:{documents.id_key(transition.license_id)}"


def _recurring_key(kind: EventType, transition: LicenseTransition) -> str:
    """Return the key of an event that may happen once per transition."""
    return f"{kind}:{documents.id_key(transition.license_id)}:{transition.cause}"


def _event(
    transition: LicenseTransition,
    kind: EventType,
    key: str,
    plan: Plan,
    text: str,
    metadata: dict[str, object] | None = None,
) -> Event:
    license = transition.after or transition.before
    facts: dict[str, object] = {"customer_name": transition.name} if transition.name else {}
    return Event(
        key=key,
        type=kind,
        at=transition.at,
        description=text,
        customer_id=license.customer_id if license else None,
        license_id=transition.license_id,
        plan_name=plan.name,
        amount_cents=plan.price_cents,
        metadata=facts | (metadata or {}),
    )
