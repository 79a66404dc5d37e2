"""The working copy behind `decide`: states are replaced, never altered; what follows is gathered in `out`."""

import heapq
from dataclasses import replace
from datetime import datetime, timedelta

from rules.insights import milestones
from rules.model import documents
from rules.model.changes import Change, DocId, Fields, Origin, Plan, Source
from rules.model.decision import Decision, HeldDocument, Mirror
from rules.model.events import Event
from rules.model.ledger import Movement, MovementKind, Reason
from rules.model.recent import RecentActivity
from rules.model.states import CustomerState, LicenseState, PaymentState, PlanState
from rules.revenue import movements
from rules.settings.settings import Settings

MILESTONES = "milestones"
PAYMENTS = "payments"
EXTERNAL_EVENTS = "twins"
EXTERNAL_MEMORY_HOURS = 24
"""How long somebody else's word of a fact is kept in mind that has yet to come."""

MAX_REMEMBERED = 100

End = tuple[datetime, str, str, DocId]
"""When a licence ends. Ends at one instant come in an order that no split into batches changes."""


class Batch:
    """One run of `decide`: what is known, what changed already, and what follows so far.

    `until` is the time of the last change: what ends later is not this batch's.
    """

    def __init__(self, mirror: Mirror, settings: Settings, until: datetime) -> None:
        self.settings = settings
        self.known = mirror
        self.plans = dict(mirror.plans)
        self.out = Decision(totals=movements.copy(mirror.totals), position=mirror.position, memory=dict(mirror.memory))
        self.openings: dict[DocId, Movement] = {}
        self.places: dict[str, int] = {}
        self.omitted: set[int] = set()
        known = mirror.memory.get(PAYMENTS, {}).get("known", 0)
        self.known_payments = known if isinstance(known, int) else 0
        self.milestone_tracker = milestones.MilestoneTracker(mirror.memory.get(MILESTONES, {}), settings)
        self.until = until
        self.ends: list[End] = []
        for state in mirror.licenses.values():
            if state is not None:
                self._await_end(state)

    def license_state(self, license_id: DocId) -> LicenseState | None:
        state = self.out.licenses.get(license_id)
        if state is None and license_id not in self.out.licenses:
            state = self.known.licenses[license_id]
        return state

    def set_license(self, state: LicenseState) -> None:
        self.out.licenses[state.id] = state
        self._await_end(state)

    def _await_end(self, state: LicenseState) -> None:
        """Have an active licence end when its time comes, if that is before the batch is over."""
        end = state.ends_at
        if end is not None and end <= self.until:
            heapq.heappush(self.ends, (end, str(state.id), type(state.id).__name__, state.id))

    def next_to_end(self, instant: datetime) -> tuple[LicenseState, datetime] | None:
        """The next active licence that ends at or before `instant`, and when; None once there is none."""
        while self.ends and self.ends[0][0] <= instant:
            end, _, _, license_id = heapq.heappop(self.ends)
            state = self.license_state(license_id)
            if state is not None and state.ends_at == end:
                return state, end
        return None

    def customer_state(self, customer_id: DocId) -> CustomerState:
        """The customer's state; an empty one, not present, where only its licences are known."""
        state = self.out.customers.get(customer_id)
        if state is None and customer_id not in self.out.customers:
            state = self.known.customers[customer_id]
        return state or CustomerState(customer_id, {})

    def set_customer(self, state: CustomerState) -> None:
        """Keep a customer, or forget one that is gone and of whom nothing needs to be remembered."""
        counts = state.present or state.active_licenses or state.paid_licenses or state.ever_mrr or state.recent
        self.out.customers[state.id] = state if counts else None

    def set_recent(self, state: CustomerState, lately: RecentActivity) -> None:
        known = lately if any(lately) else None
        if known != state.recent:
            self.set_customer(replace(state, recent=known))

    def payment_state(self, payment_id: DocId) -> PaymentState | None:
        if payment_id in self.out.payments:
            return self.out.payments[payment_id]
        return self.known.payments[payment_id]

    def count_payments(self, more: int) -> None:
        """How many payments are known: while there is none, licences stand for them."""
        self.known_payments += more
        self.out.memory[PAYMENTS] = {**self.out.memory.get(PAYMENTS, {}), "known": self.known_payments}

    def set_plan(self, state: PlanState) -> None:
        self.plans[state.id] = self.out.plans[state.id] = state

    def plan_of(self, plan_id: DocId) -> Plan:
        plan = self.plans[plan_id].plan
        assert plan is not None, "a licence only counts on a plan that was understood"
        return plan

    def book(self, change: Change, movement: Movement, kind: MovementKind | None = None) -> None:
        """Settle a licence's movement with its customer and post it, as of `kind` where it is part of a larger one."""
        state = movements.settle(movement, self.customer_state(movement.customer_id))
        movement.kind = kind or movement.kind
        self.set_customer(state)
        self.post(change, movement)

    def post(self, change: Change, movement: Movement) -> None:
        """Into the ledger and the totals; a bootstrap's movements become one opening balance per plan."""
        if change.origin is Origin.BOOTSTRAP:
            self._open(change, movement)
            return
        movements.add(self.out.totals, movement)
        self.out.movements.append(movement)
        rises = movement.customers > 0 or movement.active_licenses > 0 or movement.mrr_cents > 0
        if rises and movement.count == 1:
            self._look_for_milestones(change)

    def _look_for_milestones(self, change: Change) -> None:
        self.out.memory.setdefault(MILESTONES, {})
        for event in self.milestone_tracker.look(self.out.totals, change.at):
            self.emit(change, event)

    def _open(self, change: Change, movement: Movement) -> None:
        for balance in movements.balances(movement):
            movements.add(self.out.totals, balance)
            opening = self.openings.get(balance.plan_id)
            if opening is None:
                opening = _opening(change, balance.plan_id)
                self.openings[balance.plan_id] = opening
                self.out.movements.append(opening)
            movements.gather(opening, balance)

    def emit(self, change: Change, event: Event) -> None:
        """Say what happened, once: never during a bootstrap, and marked where it was only found out later."""
        if change.origin is Origin.BOOTSTRAP or event.key in self.places or self._external_seen(event.key):
            return
        if change.origin is Origin.RECOVERED:
            event.metadata["recovered"] = True
        self.places[event.key] = len(self.out.events)
        self.out.events.append(event)

    def withdraw(self, key: str, at: datetime) -> None:
        """Take back what was told under `key`, in this batch or an earlier one; it may be told anew."""
        place = self.places.pop(key, None)
        if place is not None:
            self.omitted.add(place)
        self.out.withdrawn[key] = at

    def remember_external(self, key: str, at: datetime) -> None:
        """Somebody else told a fact that has yet to come: it will not be told again."""
        oldest = (at - timedelta(hours=EXTERNAL_MEMORY_HOURS)).isoformat()
        heard = {known: told for known, told in self.out.memory.get(EXTERNAL_EVENTS, {}).items() if str(told) >= oldest}
        self.out.memory[EXTERNAL_EVENTS] = dict([*heard.items(), (key, at.isoformat())][-MAX_REMEMBERED:])

    def _external_seen(self, key: str) -> bool:
        heard = self.out.memory.get(EXTERNAL_EVENTS)
        if not heard or key not in heard:
            return False
        self.out.memory[EXTERNAL_EVENTS] = {known: told for known, told in heard.items() if known != key}
        return True

    def result(self) -> Decision:
        """All that follows, without what was told and withdrawn on the way."""
        if MILESTONES in self.out.memory:
            self.out.memory[MILESTONES] = self.milestone_tracker.memory
        if self.omitted:
            told = enumerate(self.out.events)
            self.out.events = [event for place, event in told if place not in self.omitted]
        return self.out

    def hold(self, change: Change, fields: Fields, reason: str) -> None:
        self.out.released.discard((change.source, change.id))
        self.out.held[change.source, change.id] = HeldDocument(change.source, change.id, reason, change, fields)

    def release(self, source: Source, doc_id: DocId) -> None:
        self.out.held.pop((source, doc_id), None)
        self.out.released.add((source, doc_id))


def _opening(change: Change, plan_id: DocId) -> Movement:
    return Movement(
        change.at, MovementKind.OPENING, Reason.BOOTSTRAP, documents.short_cause(change.cause), plan_id=plan_id
    )
