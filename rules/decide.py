"""The heart: a mirror and some changes in; events, movements and the next mirror out.

`decide` is pure, and splitting a list of changes into batches never changes the result, because
- a stream change at or before the mirror's `position` was applied already and is passed over;
- a licence's end is applied before the first change at or after that instant, whoever brings it;
- whatever a rule remembers is part of the mirror.
The caller hands in every state `required` names, and every active licence that ends by the last change;
a state that was not looked for is a KeyError, never a guess.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from rules import catalogue, documents, lifecycle, movements, pricing
from rules.model import (
    Change,
    CustomerState,
    DocId,
    Event,
    EventType,
    Fields,
    License,
    LicenseState,
    Movement,
    MovementKind,
    Operation,
    Origin,
    Plan,
    PlanState,
    Reason,
    Source,
    Sweep,
    Totals,
    Worth,
)
from rules.names import customer_name
from rules.pricing import Unintelligible
from rules.settings import Settings


@dataclass(slots=True)
class Mirror:
    """What is known before a batch: the states it needs (None: looked for, not there), all plans, the totals.

    `position` is the cause of the last stream change applied.
    """

    customers: dict[DocId, CustomerState | None] = field(default_factory=dict)
    licenses: dict[DocId, LicenseState | None] = field(default_factory=dict)
    plans: dict[DocId, PlanState] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    position: str = ""


class Held(NamedTuple):
    """A document that could not be understood: which, why, and the change that brought it."""

    source: Source
    id: DocId
    reason: str
    change: Change
    fields: Fields


@dataclass(slots=True)
class Decision:
    """What follows from a batch. A state of None means: forget this document."""

    events: list[Event] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    customers: dict[DocId, CustomerState | None] = field(default_factory=dict)
    licenses: dict[DocId, LicenseState | None] = field(default_factory=dict)
    plans: dict[DocId, PlanState] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    position: str = ""
    sweeps: list[Sweep] = field(default_factory=list)
    held: dict[tuple[Source, DocId], Held] = field(default_factory=dict)
    released: set[tuple[Source, DocId]] = field(default_factory=set)


def decide(mirror: Mirror, changes: Iterable[Change], settings: Settings) -> Decision:
    """Apply `changes` in order. The mirror handed in is not altered."""
    batch = _Batch(mirror, settings)
    for change in changes:
        batch.apply(change)
    return batch.finish()


def required(changes: Sequence[Change], mirror: Mirror) -> tuple[set[DocId], set[DocId]]:
    """The ids of the customers and licences `decide` will ask for, as far as `mirror` can tell yet.

    Load what is missing and ask again until nothing new is named: a licence names its customer.
    """
    customers = {c.id for c in changes if c.source is Source.CUSTOMERS}
    licenses = {c.id for c in changes if c.source is Source.LICENSES}
    for change in changes:
        if change.source is Source.LICENSES:
            customers.update(_hashable(change.fields.get("customer_id")))
    for license_id in (*licenses, *mirror.licenses):
        state = mirror.licenses.get(license_id)
        if state is not None:
            customers.update(_hashable(state.fields.get("customer_id")))
            if state.license is not None:
                customers.add(state.license.customer_id)
    return customers, licenses


def _hashable(value: object) -> Iterator[DocId]:
    try:
        hash(value)
    except TypeError:
        return
    yield value


class _Batch:
    """The working copy behind `decide`: states are replaced, never altered."""

    def __init__(self, mirror: Mirror, settings: Settings) -> None:
        self.settings = settings
        self.known = mirror
        self.plans = dict(mirror.plans)
        self.out = Decision(totals=movements.copy(mirror.totals), position=mirror.position)
        self.openings: dict[DocId, Movement] = {}
        self.ends = [_end(state) for state in mirror.licenses.values() if state and _ends(state)]
        heapq.heapify(self.ends)

    def apply(self, change: Change) -> None:
        if change.origin is Origin.STREAM and change.op not in (Operation.REVALUE, Operation.TICK):
            if change.cause <= self.out.position:
                return
            self.out.position = change.cause
        self._expire_until(change.at)
        if change.source is Source.LICENSES:
            self._license(change)
        elif change.source is Source.CUSTOMERS:
            self._customer(change)
        elif change.source is Source.PLANS:
            self._plan(change)

    def finish(self) -> Decision:
        return self.out

    # -- states ---------------------------------------------------------------------------------------------

    def license_state(self, license_id: DocId) -> LicenseState | None:
        if license_id in self.out.licenses:
            return self.out.licenses[license_id]
        return self.known.licenses[license_id]

    def customer_state(self, customer_id: DocId) -> CustomerState:
        """The customer's state; an empty one, not present, where only its licences are known."""
        if customer_id in self.out.customers:
            state = self.out.customers[customer_id]
        else:
            state = self.known.customers[customer_id]
        return state or CustomerState(customer_id, {})

    # -- customers and plans --------------------------------------------------------------------------------

    def _customer(self, change: Change) -> None:
        before = self.customer_state(change.id)
        fields = documents.after(before.fields if before.present else None, change)
        present = change.op is not Operation.DELETE
        if fields is None and present:
            fields = change.fields
        after = replace(before, fields=fields or {}, present=present)
        self._keep_customer(after)
        if present != before.present:
            self._count_customer(change, 1 if present else -1)
        if present and not before.present:
            self._tell(change, _new_customer(change, after))

    def _keep_customer(self, state: CustomerState) -> None:
        worth_keeping = state.present or state.active_licenses or state.paid_licenses or state.ever_mrr
        self.out.customers[state.id] = state if worth_keeping else None

    def _count_customer(self, change: Change, delta: int) -> None:
        reason = Reason.CUSTOMER_CREATED if delta > 0 else Reason.CUSTOMER_DELETED
        mrr = self.customer_state(change.id).mrr_cents
        self._post(
            change,
            Movement(
                at=change.at,
                kind=MovementKind.NEUTRAL,
                reason=reason,
                cause=change.cause,
                customer_id=change.id,
                customers=delta,
                customer_mrr=(mrr, mrr),
            ),
        )

    def _plan(self, change: Change) -> None:
        before = self.plans.get(change.id)
        if change.op is Operation.DELETE:
            if before is not None:
                self._keep_plan(replace(before, present=False))
            return
        fields = documents.after(before.fields if before else None, change)
        after = self._read_plan(change, before, change.fields if fields is None else fields)
        self._keep_plan(after)
        returned = before is None or not before.present
        if after.plan is not None and (returned or before is None or after.plan != before.plan):
            self.out.sweeps.append(Sweep(change.id, change.at, change.cause, change.origin))

    def _read_plan(self, change: Change, before: PlanState | None, fields: Fields) -> PlanState:
        try:
            plan = pricing.read_plan(change.id, fields, self.settings.rates)
        except Unintelligible as problem:
            self._hold(change, fields, str(problem))
            return PlanState(change.id, fields, before.plan if before else None, held=str(problem))
        if before is not None and before.held:
            self._release(Source.PLANS, change.id)
        return PlanState(change.id, fields, plan)

    def _keep_plan(self, state: PlanState) -> None:
        self.plans[state.id] = self.out.plans[state.id] = state

    # -- licences -------------------------------------------------------------------------------------------

    def _license(self, change: Change) -> None:
        before = self.license_state(change.id)
        if change.op is Operation.DELETE:
            self._delete_license(change, before)
            return
        fields = documents.after(before.fields if before else None, change)
        if fields is None:
            if change.op is Operation.UPDATE:
                self._hold_license(change, before, change.fields, "an update of a licence never seen whole")
            return
        try:
            license = lifecycle.read_license(fields, self.settings)
            plan = lifecycle.plan_of(license, before.license if before else None, self.plans)
        except Unintelligible as problem:
            self._hold_license(change, before, fields, str(problem))
            return
        self._turn_license(change, before, fields, license, plan)

    def _turn_license(
        self, change: Change, before: LicenseState | None, fields: Fields, license: License, plan: Plan
    ) -> None:
        now = lifecycle.worth(license, plan, change.at)
        started = before is not None and before.started
        after = LicenseState(change.id, fields, license, now, started or now.paid)
        self.out.licenses[change.id] = after
        if before is not None and before.held:
            self._release(Source.LICENSES, change.id)
        if _ends(after):
            heapq.heappush(self.ends, _end(after))
        turn = self._turn(change, before, license, now, plan)
        one_time = plan.price_cents if now.paid and plan.is_lifetime and not started else 0
        self._move(change, turn, one_time)
        self._tell_turn(change, turn)

    def _delete_license(self, change: Change, before: LicenseState | None) -> None:
        if before is None:
            return
        self.out.licenses[change.id] = None
        if before.held:
            self._release(Source.LICENSES, change.id)
        if before.worth is None or before.license is None:
            return
        plan = self._plan_behind(before.worth.plan_id)
        turn = self._turn(change, before, None, None, plan)
        self._move(change, turn, 0)
        self._tell_turn(change, turn)

    def _turn(
        self,
        change: Change,
        before: LicenseState | None,
        license: License | None,
        now: Worth | None,
        plan: Plan,
    ) -> lifecycle.Turn:
        owner = license or (before.license if before else None)
        customer = self.customer_state(owner.customer_id if owner else None)
        was = before.worth if before else None
        return lifecycle.Turn(
            license_id=change.id,
            at=change.at,
            cause=change.cause,
            name=customer_name(customer.fields),
            before=before.license if before else None,
            was=was,
            plan_before=self._plan_behind(was.plan_id) if was else None,
            after=license,
            now=now,
            plan=plan,
            started=before is not None and before.started,
            pays=not ((owner and owner.is_manual) or customer.fields.get("email") == self.settings.manual_email),
            settings=self.settings,
        )

    def _plan_behind(self, plan_id: DocId) -> Plan:
        state = self.plans[plan_id]
        assert state.plan is not None, "a licence only counts on a plan that was understood"
        return state.plan

    def _hold_license(self, change: Change, before: LicenseState | None, fields: Fields, reason: str) -> None:
        if before is None:
            self.out.licenses[change.id] = LicenseState(change.id, fields, held=reason)
        else:
            self.out.licenses[change.id] = replace(before, fields=fields, held=reason)
        if before is None or before.held != reason or change.op is not Operation.REVALUE:
            self._hold(change, fields, reason)

    # -- the clock ------------------------------------------------------------------------------------------

    def _expire_until(self, instant: datetime) -> None:
        while self.ends and self.ends[0][0] <= instant:
            end, _, license_id = heapq.heappop(self.ends)
            state = self.license_state(license_id)
            if state is not None and _ends(state) and state.license and state.license.expires_at == end:
                self._expire(state, end)

    def _expire(self, state: LicenseState, end: datetime) -> None:
        assert state.license is not None and state.worth is not None
        cause = str(int(end.timestamp() * 1000))
        change = Change(Source.CLOCK, Operation.TICK, state.id, end, cause)
        plan = self._plan_behind(state.worth.plan_id)
        now = lifecycle.worth(state.license, plan, end)
        self.out.licenses[state.id] = replace(state, worth=now)
        turn = self._turn(change, state, state.license, now, plan)
        self._move(change, turn, 0)
        self._tell_turn(change, turn)

    # -- what follows ---------------------------------------------------------------------------------------

    def _move(self, change: Change, turn: lifecycle.Turn, one_time_cents: int) -> None:
        """Book the difference between a licence's two worths; a licence that changes hands leaves, then joins."""
        was, now = turn.was, turn.now
        changed_hands = was and now and turn.before and turn.after and turn.before.customer_id != turn.after.customer_id
        if changed_hands and turn.before and turn.after:
            self._book(change, turn, turn.before.customer_id, was, None, 0)
            self._book(change, turn, turn.after.customer_id, None, now, one_time_cents)
        elif was != now or one_time_cents:
            owner = turn.after or turn.before
            assert owner is not None
            self._book(change, turn, owner.customer_id, was, now, one_time_cents)

    def _book(
        self,
        change: Change,
        turn: lifecycle.Turn,
        customer_id: DocId,
        before: Worth | None,
        after: Worth | None,
        one_time_cents: int,
    ) -> None:
        movement = Movement(
            at=change.at,
            kind=MovementKind.NEUTRAL,
            reason=_reason(change, turn),
            cause=change.cause,
            customer_id=customer_id,
            license_id=turn.license_id,
            plan_id=(after or before or movements.NOTHING).plan_id,
            one_time_cents=one_time_cents,
            before=before,
            after=after,
        )
        self._keep_customer(movements.settle(movement, self.customer_state(customer_id)))
        self._post(change, movement)

    def _post(self, change: Change, movement: Movement) -> None:
        """Into the ledger and the totals; a bootstrap's movements become one opening balance per plan."""
        if change.origin is Origin.BOOTSTRAP:
            self._open(change, movement)
            return
        movements.add(self.out.totals, movement)
        self.out.movements.append(movement)

    def _open(self, change: Change, movement: Movement) -> None:
        opening = self.openings.get(movement.plan_id)
        if opening is None:
            opening = Movement(
                at=change.at,
                kind=MovementKind.OPENING,
                reason=Reason.BOOTSTRAP,
                cause=change.cause,
                plan_id=movement.plan_id,
            )
            self.openings[movement.plan_id] = opening
            self.out.movements.append(opening)
        delta = replace(movement, kind=MovementKind.OPENING)
        movements.add(self.out.totals, delta)
        movements.gather(opening, delta)

    def _tell_turn(self, change: Change, turn: lifecycle.Turn) -> None:
        for event in lifecycle.events(turn):
            self._tell(change, event)
        sold = turn.plan.limit if turn.plan.is_lifetime else None
        moved_in = turn.now is not None and (turn.was is None or turn.was.plan_id != turn.plan.id)
        if sold is not None and moved_in:
            self._tell(change, self._limited_sale(turn, sold))

    def _limited_sale(self, turn: lifecycle.Turn, limit: int) -> Event:
        sold = self.out.totals.by_plan[turn.plan.id].licenses
        remaining = max(0, limit - sold)
        license = self.license_state(turn.license_id)
        return Event(
            key=f"limited_sale:{turn.license_id}:{turn.plan.id}",
            type=EventType.MILESTONE_REACHED,
            at=turn.at,
            description=catalogue.limited_sale(turn.plan, remaining),
            customer_id=turn.after.customer_id if turn.after else None,
            license_id=turn.license_id,
            plan_name=turn.plan.name,
            metadata={
                "founders_remaining": remaining,
                "license_key": license.fields.get("license_key") if license else None,
            },
        )

    def _tell(self, change: Change, event: Event) -> None:
        if change.origin is Origin.BOOTSTRAP:
            return
        if change.origin is Origin.RECOVERED:
            event.metadata["recovered"] = True
        self.out.events.append(event)

    def _hold(self, change: Change, fields: Fields, reason: str) -> None:
        self.out.released.discard((change.source, change.id))
        self.out.held[change.source, change.id] = Held(change.source, change.id, reason, change, fields)

    def _release(self, source: Source, doc_id: DocId) -> None:
        self.out.held.pop((source, doc_id), None)
        self.out.released.add((source, doc_id))


def _new_customer(change: Change, state: CustomerState) -> Event:
    name = customer_name(state.fields)
    return Event(
        key=f"new_customer:{change.id}",
        type=EventType.NEW_CUSTOMER,
        at=change.at,
        description=catalogue.new_customer(name),
        customer_id=change.id,
        metadata={"customer_name": name} if name else {},
    )


def _reason(change: Change, turn: lifecycle.Turn) -> Reason:
    if turn.was is None:
        return Reason.LICENSE_CREATED
    if turn.now is None:
        return Reason.LICENSE_DELETED
    if turn.before and turn.after and turn.before.customer_id != turn.after.customer_id:
        return Reason.LICENSE_MOVED
    if turn.was.active and not turn.now.active:
        return lifecycle.REASONS[lifecycle.off_event(turn)]
    if turn.now.active and not turn.was.active:
        return Reason.ACTIVATED
    return Reason.PLAN_CHANGED if turn.was.plan_id != turn.now.plan_id else Reason.REPRICE


def _ends(state: LicenseState) -> bool:
    """Whether a licence counts as active and has an end to come."""
    return bool(state.worth and state.worth.active and state.license and state.license.expires_at)


def _end(state: LicenseState) -> tuple[datetime, str, DocId]:
    assert state.license is not None and state.license.expires_at is not None
    return state.license.expires_at, str(state.id), state.id
