"""The numbers prove themselves: ledger = running totals = what the server counts in the source; mirror = source.

The source is counted as of the checkpoint's cluster time, so a proof does not need the shop to hold still. What
differs is looked at again, because a licence may end between two looks; only what stays different is a mismatch.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC

from daemon.config.schema import Config
from daemon.errors import ChatelloError, Unavailable
from daemon.mongo.client import translated
from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.types import Database, Timestamp
from daemon.source import snapshot
from daemon.source import totals as source_totals
from daemon.source.decode import Decoder
from daemon.source.snapshot import Difference
from daemon.store import checkpoint as checkpoints
from daemon.store import dead_letters, forgotten
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from rules.model import documents
from rules.model.changes import DocId, Plan, Source
from rules.revenue import pricing
from rules.revenue.pricing import InvalidDocument

LOOKS = 5
BETWEEN_LOOKS_SECONDS = 1.0
MOST_NAMED = 100
NUMBERS = ("customers", "paying_customers", "subscribers", "active_licenses", "mrr_cents")


@dataclass(slots=True)
class VerificationResult:
    """What a proof found: the numbers of each book, and each mismatch as a sentence.

    `hindrance` is why nothing could be compared: that nothing was proved is not that something differs.
    """

    totals: dict[str, int] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)
    hindrance: str = ""

    @property
    def holds(self) -> bool:
        return not self.mismatches and not self.hindrance


class Verification:
    """Proves one database. Reads only."""

    def __init__(self, database: Database, config: Config, wait: Callable[[float], None] = time.sleep) -> None:
        self.database = database
        self.wait = wait
        self.set_config(config)

    def set_config(self, config: Config) -> None:
        """Prove by these rules from now on."""
        self.settings = config.settings()
        self.zone = config.time.naive_zone
        self.decoder = Decoder(config.time.naive_zone, config.rules.manual_email)
        self.mirror = MirrorReader(self.database, self.settings)

    def numbers(self) -> VerificationResult:
        """Ledger = totals = source; raises Unavailable while it cannot be told, which is no mismatch."""
        verdict = VerificationResult()
        for look in range(LOOKS):
            verdict = self._look()
            if verdict.holds or look == LOOKS - 1:
                break
            self.wait(BETWEEN_LOOKS_SECONDS)
        if verdict.hindrance:
            raise Unavailable(f"no proof can be made now: {verdict.hindrance}")
        return verdict

    def documents(self) -> list[str]:
        """Mirror = source, document by document; what stays different, named."""
        known = forgotten.load(self.database)
        self.decoder = Decoder(self.zone, self.settings.manual_email, known.holds)
        suspects = list(self._differences())
        for _ in range(LOOKS):
            if not suspects:
                break
            self.wait(BETWEEN_LOOKS_SECONDS)
            suspects = [found for found in suspects if self._still_differs(found)]
        return [_sentence(found) for found in suspects]

    def _look(self) -> VerificationResult:
        checkpoint = checkpoints.load(self.database)
        if checkpoint is None or checkpoint.cluster_time is None or checkpoint.reconciling is not None:
            return VerificationResult(hindrance="the daemon has not taken over this database yet, or is reconciling")
        if checkpoint.revaluations:
            return VerificationResult(hindrance="a plan's new price is still being applied")
        totals = {name: getattr(checkpoint.totals, name) for name in NUMBERS}
        sums = ledger.sums(self.database, {"_id": {"$lte": checkpoint.seq}})
        booked = {name: getattr(sums, name) for name in NUMBERS}
        counted = self._counted(checkpoint.cluster_time)
        return VerificationResult(totals, [*_compare("ledger", booked, totals), *_compare("source", counted, totals)])

    def _counted(self, time: Timestamp) -> dict[str, int]:
        """The source as of the checkpoint; held licences count as when they were last understood."""
        held = dead_letters.held_ids(self.database, Source.LICENSES)
        instant = cluster_datetime(time).astimezone(self.zone).replace(tzinfo=UTC)
        counted = source_totals.totals(self.database, self._plans(), held, instant, time)
        return self._with_held(counted, held)

    def _plans(self) -> dict[DocId, Plan]:
        """The plans as their documents price them now; as last understood where they no longer can be."""
        plans = {state.id: state.plan for state in self.mirror.plans().values() if state.plan is not None}
        for plan_id, fields in snapshot.read(self.database, Source.PLANS, self.decoder, None):
            try:
                plans[plan_id] = pricing.read_plan(plan_id, fields, self.settings.rates)
            except InvalidDocument:
                continue
        return plans

    def _with_held(self, counted: dict[str, int], held: list[DocId]) -> dict[str, int]:
        states = [state for state in self.mirror.licenses(held) if state.value and state.value.active]
        paid: Counter[DocId] = Counter()
        mrr: Counter[DocId] = Counter()
        for state in states:
            if state.value and state.license:
                paid[state.license.customer_id] += state.value.paid
                mrr[state.license.customer_id] += state.value.mrr_cents
        customers = self.mirror.customers(list(paid))
        return {
            "customers": counted["customers"],
            "paying_customers": counted["paying_customers"] + sum(0 < c.paid_licenses == paid[c.id] for c in customers),
            "subscribers": counted["subscribers"] + sum(0 < c.mrr_cents == mrr[c.id] for c in customers),
            "active_licenses": counted["active_licenses"] + len(states),
            "mrr_cents": counted["mrr_cents"] + sum(state.value.mrr_cents for state in states if state.value),
        }

    def _differences(self) -> Iterator[Difference]:
        with translated(), self.database.client.start_session(snapshot=True) as session:
            snapshot.snapshot_time(self.database, session)
            found = 0
            for source in (Source.PLANS, Source.CUSTOMERS, Source.PAYMENTS, Source.LICENSES):
                theirs = snapshot.read(self.database, source, self.decoder, session)
                for difference in snapshot.differences(source, theirs, self.mirror.fields(source, session)):
                    yield difference
                    found += 1
                    if found == MOST_NAMED:
                        return

    def _still_differs(self, found: Difference) -> bool:
        theirs = snapshot.read_one(self.database, found.source, found.id, self.decoder)
        ours = self.mirror.fields_of(found.source, found.id)
        if theirs is None or ours is None:
            return (theirs is None) != (ours is None)
        return not documents.same(found.source, theirs, ours)


def verify_or_report(proof: Verification) -> VerificationResult:
    """A verdict in every case: what kept the proof from being made is its mismatch."""
    try:
        return proof.numbers()
    except ChatelloError as problem:
        return VerificationResult(mismatches=[str(problem)])


def _compare(book: str, found: dict[str, int], totals: dict[str, int]) -> list[str]:
    return [
        f"{name}: the {book} says {found[name]}, the running totals say {totals[name]}"
        for name in NUMBERS
        if found[name] != totals[name]
    ]


def _sentence(found: Difference) -> str:
    if found.found is None:
        return f"{found.source} {found.id}: in the mirror, but no longer in the source"
    if found.mirrored is None:
        return f"{found.source} {found.id}: in the source, but not in the mirror"
    return f"{found.source} {found.id}: the mirror's fields differ from the source's"
