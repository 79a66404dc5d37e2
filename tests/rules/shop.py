"""The plainest driver of `decide`: a whole mirror in memory, batches, ticks, and the sweeps a decision leaves.

Hands `decide` exactly what its contract promises and not one state more, so that a state it should have
named by `required` is a KeyError.
"""

from collections.abc import Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rules.handlers.decide import Decision, HeldDocument, Mirror, decide, required
from rules.model.changes import Change, Operation, Source
from rules.model.decision import Memories, Revaluation
from rules.model.events import Event
from rules.model.ledger import Movement, Totals
from rules.model.states import CustomerState, LicenseState, PaymentState, PlanState
from rules.settings.settings import Settings


@dataclass
class Shop:
    """Everything the daemon would have stored."""

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
    told: list[Event] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    letters: dict[tuple[Source, Any], HeldDocument] = field(default_factory=dict)

    def follow(self, changes: Sequence[Change], cuts: Collection[int] = ()) -> "Shop":
        """Apply changes in batches, cut at `cuts` and, as the daemon does, behind every plan change."""
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
            for sweep in self._commit(batch).revaluations:
                self._sweep(sweep)

    def _sweep(self, sweep: Revaluation) -> None:
        named = sorted((i for i, state in self.licenses.items() if _on(state, sweep.plan_id)), key=repr)
        for start in range(0, len(named), self.chunk):
            self._commit([_revalue(sweep, i) for i in named[start : start + self.chunk]])

    def _commit(self, changes: Sequence[Change]) -> Decision:
        mirror = self.mirror(changes)
        before = deepcopy(mirror)
        decision = decide(mirror, changes, self.settings)
        assert same_mirror(mirror, before), "decide altered the mirror it was handed"
        self._store(decision)
        return decision

    def mirror(self, changes: Sequence[Change]) -> Mirror:
        """Plans, licences due by the last change, and what `required` names, asked until nothing is new."""
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
        self._tell(decision)
        self.movements += decision.movements
        for released in decision.released:
            self.letters.pop(released, None)
        self.letters.update(decision.held)

    def _tell(self, decision: Decision) -> None:
        """As the database does: what is withdrawn goes, a key that stands already collides. `told` forgets nothing."""
        self.told += decision.events
        standing = {event.key: event for event in self.events}
        for key in decision.withdrawn:
            standing.pop(key, None)
        for event in decision.events:
            standing.setdefault(event.key, event)
        self.events = list(standing.values())


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


def _revalue(sweep: Revaluation, license_id: Any) -> Change:
    return Change(Source.LICENSES, Operation.REVALUE, license_id, sweep.at, sweep.cause, origin=sweep.origin)


def same_mirror(left: Mirror, right: Mirror) -> bool:
    """Equality that takes NaN for NaN, as a look at the text does."""
    return repr(left) == repr(right)
