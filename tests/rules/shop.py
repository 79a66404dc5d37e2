"""In-memory driver of `decide`: a complete mirror, batches, ticks, and the revaluations of a decision.

Passes to `decide` exactly the states that its contract promises, so that a state missing in `required` is a KeyError.
"""

from collections.abc import Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rules.handlers.decide import decide
from rules.model.changes import Change, Operation, Source
from rules.model.decision import (
    Decision,
    ExternalFact,
    HeldDocument,
    Memories,
    Mirror,
    Revaluation,
    WithdrawalKind,
    required,
)
from rules.model.events import Event
from rules.model.ledger import Movement, Totals
from rules.model.states import CustomerState, LicenseState, PaymentState, PlanState
from rules.settings.settings import Settings


@dataclass
class Shop:
    """Everything that the daemon would have stored; `emitted` also keeps the events that were withdrawn later."""

    settings: Settings = field(default_factory=Settings)
    chunk: int = 2
    customers: dict[Any, CustomerState] = field(default_factory=dict)
    licenses: dict[Any, LicenseState] = field(default_factory=dict)
    plans: dict[Any, PlanState] = field(default_factory=dict)
    payments: dict[Any, PaymentState] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    position: str = ""
    memory: Memories = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    emitted: list[Event] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    external: list[ExternalFact] = field(default_factory=list)
    emitted_after_withdrawal: list[str] = field(default_factory=list)
    dead_letters: dict[tuple[Source, Any], HeldDocument] = field(default_factory=dict)

    def follow(self, changes: Sequence[Change], cuts: Collection[int] = ()) -> "Shop":
        """Apply changes in batches, split at `cuts` and, like the daemon, after every plan change."""
        batch: list[Change] = []
        for index, change in enumerate(changes, 1):
            batch.append(change)
            if index in cuts or change.source is Source.PLANS:
                self.apply(batch)
                batch = []
        self.apply(batch)
        return self

    def one_by_one(self, changes: Iterable[Change]) -> "Shop":
        for change in changes:
            self.apply([change])
        return self

    def tick(self, at: datetime) -> "Shop":
        self._commit([Change(Source.CLOCK, Operation.TICK, None, at, "")])
        return self

    def apply(self, batch: Sequence[Change]) -> None:
        if batch:
            for revaluation in self._commit(batch).revaluations:
                self._run_revaluation(revaluation)

    def _run_revaluation(self, revaluation: Revaluation) -> None:
        license_ids = sorted((i for i, state in self.licenses.items() if _on(state, revaluation.plan_id)), key=repr)
        for start in range(0, len(license_ids), self.chunk):
            self._commit([_revalue(revaluation, i) for i in license_ids[start : start + self.chunk]])

    def _commit(self, changes: Sequence[Change]) -> Decision:
        mirror = self.mirror(changes)
        before = deepcopy(mirror)
        decision = decide(mirror, changes, self.settings)
        assert same_mirror(mirror, before), "decide modified its input mirror"
        self._store(decision)
        return decision

    def mirror(self, changes: Sequence[Change]) -> Mirror:
        """Return all plans, the licenses that expire by the last change, and the states named by `required`."""
        mirror = Mirror(plans=dict(self.plans), totals=self.totals, position=self.position, memory=self.memory)
        horizon = max(change.at for change in changes)
        mirror.licenses.update({i: state for i, state in self.licenses.items() if _due(state, horizon)})
        while True:
            wanted = required(changes, mirror)
            known = (mirror.customers.keys(), mirror.licenses.keys(), mirror.payments.keys())
            if all(ids <= there for ids, there in zip(wanted, known, strict=True)):
                return mirror
            mirror.customers.update({i: self.customers.get(i) for i in wanted.customers})
            mirror.licenses.update({i: self.licenses.get(i) for i in wanted.licenses})
            mirror.payments.update({i: self.payments.get(i) for i in wanted.payments})

    def _store(self, decision: Decision) -> None:
        assert not decision.released & decision.held.keys(), "a document cannot be both held and released"
        _put(self.customers, decision.customers)
        _put(self.licenses, decision.licenses)
        _put(self.payments, decision.payments)
        self.memory = decision.memory
        self.plans.update(decision.plans)
        self.totals, self.position = decision.totals, decision.position
        self._store_events(decision)
        self.movements += decision.movements
        for released in decision.released:
            self.dead_letters.pop(released, None)
        self.dead_letters.update(decision.held)

    def _store_events(self, decision: Decision) -> None:
        """Store events as the database does: delete the withdrawn ones, skip a key that exists already."""
        self.emitted += decision.events
        keys = {event.key for event in self.emitted}
        self.emitted_after_withdrawal += [event.key for event in decision.events if event.key in self.withdrawn]
        withdrawn = {key: one.kind for key, one in decision.withdrawn.items() if key in keys}
        self.withdrawn |= withdrawn.keys()
        self.replaced |= {key for key, kind in withdrawn.items() if kind is WithdrawalKind.REPLACED}
        self.external += decision.external
        existing = {event.key: event for event in self.events}
        for key in decision.withdrawn:
            existing.pop(key, None)
        for event in decision.events:
            existing.setdefault(event.key, event)
        self.events = list(existing.values())


def _put(stored: dict[Any, Any], decided: dict[Any, Any]) -> None:
    stored.update(decided)
    for doc_id in [doc_id for doc_id, state in decided.items() if state is None]:
        del stored[doc_id]


def _on(state: LicenseState, plan_id: Any) -> bool:
    return state.fields.get("plan_id") == plan_id or (state.license is not None and state.license.plan_id == plan_id)


def _due(state: LicenseState, at: datetime) -> bool:
    if state.value is None or not state.value.active or state.license is None:
        return False
    return state.license.expires_at is not None and state.license.expires_at <= at


def _revalue(revaluation: Revaluation, license_id: Any) -> Change:
    _, at, cause, origin = revaluation
    return Change(Source.LICENSES, Operation.REVALUE, license_id, at, cause, origin=origin)


def same_mirror(left: Mirror, right: Mirror) -> bool:
    """Return whether two mirrors have the same text, in which NaN equals NaN."""
    return repr(left) == repr(right)
