"""Working state of one `decide` run: states are replaced, never modified; results are collected in a `Decision`."""

import heapq
from dataclasses import replace
from datetime import datetime, timedelta

from rules.insights import milestones
from rules.insights.goals import GoalTracker
from rules.model import documents
from rules.model.changes import Change, DocId, Fields, Origin, Plan, Source
from rules.model.decision import Decision, HeldDocument, Mirror, Withdrawal, WithdrawalKind
from rules.model.events import Event
from rules.model.ledger import Movement, MovementKind, Reason
from rules.model.recent import RecentActivity
from rules.model.states import CustomerState, LicenseState, PaymentState, PlanState
from rules.revenue import movements
from rules.settings.settings import Settings

MILESTONES, GOALS = "milestones", "goals"
PAYMENTS = "payments"
EXTERNAL_EVENTS = "twins"
EXTERNAL_MEMORY_HOURS = 24
"""Retention of the key of an external event whose document has not been received yet."""

MAX_REMEMBERED = 100

LicenseEnd = tuple[datetime, str, str, DocId]
"""Expiry of a license, sortable: instant, id as text, type of the id, id.

Licenses that expire at the same instant have an order that does not depend on the split into batches.
"""


class Batch:
    """One run of `decide`: the mirror before it, and the decision so far.

    `until` is the time of the last change; a license that expires later is left to a later batch.
    """

    def __init__(self, mirror: Mirror, settings: Settings, until: datetime) -> None:
        self.settings = settings
        self.mirror = mirror
        self.plans = dict(mirror.plans)
        self.decision = Decision(
            totals=movements.copy(mirror.totals), position=mirror.position, memory=dict(mirror.memory)
        )
        self.openings: dict[DocId, Movement] = {}
        self.event_indexes: dict[str, int] = {}
        self.withdrawn_indexes: set[int] = set()
        known = mirror.memory.get(PAYMENTS, {}).get("known", 0)
        self.known_payments = known if isinstance(known, int) else 0
        self.milestone_tracker = milestones.MilestoneTracker(mirror.memory.get(MILESTONES, {}), settings)
        self.goal_tracker = GoalTracker(mirror.memory.get(GOALS, {}), mirror.totals, settings)
        self.until = until
        self.pending_ends: list[LicenseEnd] = []
        for state in mirror.licenses.values():
            if state is not None:
                self._schedule_end(state)

    def license_state(self, license_id: DocId) -> LicenseState | None:
        state = self.decision.licenses.get(license_id)
        if state is None and license_id not in self.decision.licenses:
            state = self.mirror.licenses[license_id]
        return state

    def set_license(self, state: LicenseState) -> None:
        self.decision.licenses[state.id] = state
        self._schedule_end(state)

    def _schedule_end(self, state: LicenseState) -> None:
        """Schedule the expiry of an active license if it is not after the last change of the batch."""
        end = state.ends_at
        if end is not None and end <= self.until:
            heapq.heappush(self.pending_ends, (end, str(state.id), type(state.id).__name__, state.id))

    def next_expired(self, instant: datetime) -> tuple[LicenseState, datetime] | None:
        """Return the next active license that expires by `instant`, with its expiry; None if there is none."""
        while self.pending_ends and self.pending_ends[0][0] <= instant:
            end, _, _, license_id = heapq.heappop(self.pending_ends)
            state = self.license_state(license_id)
            if state is not None and state.ends_at == end:
                return state, end
        return None

    def customer_state(self, customer_id: DocId) -> CustomerState:
        """Return the customer's state; an empty one with `present` false if only its licenses are known."""
        state = self.decision.customers.get(customer_id)
        if state is None and customer_id not in self.decision.customers:
            state = self.mirror.customers[customer_id]
        return state or CustomerState(customer_id, {})

    def set_customer(self, state: CustomerState) -> None:
        """Set a customer's state; delete the state of an unknown customer that has nothing to remember."""
        is_needed = (
            state.present
            or state.deleted
            or state.active_licenses
            or state.paid_licenses
            or state.ever_mrr
            or state.recent
        )
        self.decision.customers[state.id] = state if is_needed else None

    def set_recent(self, state: CustomerState, recent: RecentActivity) -> None:
        value = recent if any(recent) else None
        if value != state.recent:
            self.set_customer(replace(state, recent=value))

    def payment_state(self, payment_id: DocId) -> PaymentState | None:
        if payment_id in self.decision.payments:
            return self.decision.payments[payment_id]
        return self.mirror.payments[payment_id]

    def count_payments(self, change: int) -> None:
        """Add `change` to the number of known payments; while it is zero, payments are inferred from licenses."""
        self.known_payments += change
        self.decision.memory[PAYMENTS] = {**self.decision.memory.get(PAYMENTS, {}), "known": self.known_payments}

    def set_plan(self, state: PlanState) -> None:
        self.plans[state.id] = self.decision.plans[state.id] = state

    def plan_of(self, plan_id: DocId) -> Plan:
        plan = self.plans[plan_id].plan
        assert plan is not None, "a license only counts on a valid plan"
        return plan

    def book(self, change: Change, movement: Movement, kind: MovementKind | None = None) -> None:
        """Apply a license's movement to its customer and post it; `kind` overrides the kind of the movement."""
        state = movements.complete(movement, self.customer_state(movement.customer_id))
        movement.kind = kind or movement.kind
        self.set_customer(state)
        self.post(change, movement)

    def post(self, change: Change, movement: Movement) -> None:
        """Add a movement to the ledger and the totals; a bootstrap's movements become one opening balance per plan."""
        if change.origin is Origin.BOOTSTRAP:
            self._add_to_opening(change, movement)
            return
        movements.add(self.decision.totals, movement)
        self.decision.movements.append(movement)
        rises = movement.customers > 0 or movement.active_licenses > 0 or movement.mrr_cents > 0
        if rises and movement.count == 1:
            self._emit_milestones(change)

    def _emit_milestones(self, change: Change) -> None:
        self.decision.memory.setdefault(MILESTONES, {})
        trackers = (self.milestone_tracker, self.goal_tracker)
        for event in (event for tracker in trackers for event in tracker.check(self.decision.totals, change.at)):
            self.emit(change, event)

    def _add_to_opening(self, change: Change, movement: Movement) -> None:
        for balance in movements.opening_lines_of(movement):
            movements.add(self.decision.totals, balance)
            opening = self.openings.get(balance.plan_id)
            if opening is None:
                opening = _opening(change, balance.plan_id)
                self.openings[balance.plan_id] = opening
                self.decision.movements.append(opening)
            movements.add_to_opening(opening, balance)

    def emit(self, change: Change, event: Event) -> None:
        """Emit an event unless its key was emitted, it was reported externally, or a bootstrap runs.

        An event of a recovered change gets `recovered: true` in its metadata.
        """
        if change.origin is Origin.BOOTSTRAP or event.key in self.event_indexes or self._external_seen(event.key):
            return
        if change.origin is Origin.RECOVERED:
            event.metadata["recovered"] = True
        self.event_indexes[event.key] = len(self.decision.events)
        self.decision.events.append(event)

    def withdraw(self, key: str, at: datetime, kind: WithdrawalKind) -> None:
        """Withdraw the event with `key`, emitted in this batch or an earlier one."""
        index = self.event_indexes.pop(key, None)
        if index is not None:
            self.withdrawn_indexes.add(index)
        self.decision.withdrawn[key] = Withdrawal(at, kind)

    def report_again(self, key: str, fact_key: str) -> None:
        """Record that the own event `key` reports a fact that became known as `fact_key`."""
        if key != fact_key:
            self.decision.fact_keys[key] = fact_key

    def remember_external(self, key: str, at: datetime) -> None:
        """Remember the key of an external event whose document has not been received: it will not be emitted."""
        oldest = (at - timedelta(hours=EXTERNAL_MEMORY_HOURS)).isoformat()
        known = self.decision.memory.get(EXTERNAL_EVENTS, {})
        recent = [(other, event_date) for other, event_date in known.items() if str(event_date) >= oldest]
        self.decision.memory[EXTERNAL_EVENTS] = dict([*recent, (key, at.isoformat())][-MAX_REMEMBERED:])

    def _external_seen(self, key: str) -> bool:
        """Return whether `key` is remembered as reported externally; forget it if so."""
        known = self.decision.memory.get(EXTERNAL_EVENTS)
        if not known or key not in known:
            return False
        self.decision.memory[EXTERNAL_EVENTS] = {other: at for other, at in known.items() if other != key}
        return True

    def result(self) -> Decision:
        """Return the decision, without events that were emitted and withdrawn in the same batch."""
        if MILESTONES in self.decision.memory:
            self.decision.memory[MILESTONES] = self.milestone_tracker.memory
        if self.settings.goals:
            self.decision.memory[GOALS] = self.goal_tracker.memory
        if self.withdrawn_indexes:
            emitted = enumerate(self.decision.events)
            self.decision.events = [event for index, event in emitted if index not in self.withdrawn_indexes]
        return self.decision

    def hold(self, change: Change, fields: Fields, reason: str) -> None:
        self.decision.released.discard((change.source, change.id))
        self.decision.held[change.source, change.id] = HeldDocument(change.source, change.id, reason, change, fields)

    def release(self, source: Source, doc_id: DocId) -> None:
        self.decision.held.pop((source, doc_id), None)
        self.decision.released.add((source, doc_id))


def _opening(change: Change, plan_id: DocId) -> Movement:
    return Movement(
        change.at, MovementKind.OPENING, Reason.BOOTSTRAP, documents.short_cause(change.cause), plan_id=plan_id
    )
