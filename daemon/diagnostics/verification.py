"""Verification that ledger = running totals = a fresh count of the source, and that mirror = source.

The source is counted as of the checkpoint's cluster time, so it may change during a verification. Differences are
compared again, because a license may expire between two reads; only a lasting difference is a mismatch.
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
from daemon.store import dead_letters, forgotten, gaps
from daemon.store.ledger import line_groups
from daemon.store.mirror.reader import MirrorReader
from rules.model import documents
from rules.model.changes import DocId, Source

MAX_ATTEMPTS = 5
RETRY_SECONDS = 1.0
MAX_MISMATCHES = 100
NUMBERS = ("customers", "paying_customers", "subscribers", "active_licenses", "mrr_cents")


@dataclass(slots=True)
class VerificationResult:
    """Result of one verification: the running totals, and one sentence per mismatch.

    `unavailable_reason`: why nothing could be compared, which is not a mismatch.
    """

    totals: dict[str, int] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)
    unavailable_reason: str = ""

    @property
    def passed(self) -> bool:
        return not self.mismatches and not self.unavailable_reason


class Verification:
    """Verifies one database. Reads only."""

    def __init__(self, database: Database, config: Config, wait: Callable[[float], None] = time.sleep) -> None:
        self.database = database
        self.wait = wait
        self.settings = config.settings()
        self.zone = config.time.naive_zone
        self.decoder = Decoder(config.time.naive_zone, config.rules.manual_email)
        self.mirror = MirrorReader(self.database, self.settings)

    def verify_totals(self) -> VerificationResult:
        """Compare ledger, running totals and source; raises Unavailable while they cannot be compared."""
        result = VerificationResult()
        for attempt in range(MAX_ATTEMPTS):
            result = self._compare_totals()
            if result.passed or attempt == MAX_ATTEMPTS - 1:
                break
            self.wait(RETRY_SECONDS)
        if result.unavailable_reason:
            raise Unavailable(f"verification is not possible at the moment: {result.unavailable_reason}")
        return result

    def verify_documents(self) -> list[str]:
        """Compare the mirror with the source, document by document; return one sentence per lasting difference."""
        known = forgotten.load(self.database)
        self.decoder = Decoder(self.zone, self.settings.manual_email, known.contains)
        suspects = list(self._differences())
        for _ in range(MAX_ATTEMPTS):
            if not suspects:
                break
            self.wait(RETRY_SECONDS)
            suspects = [found for found in suspects if self._still_differs(found)]
        return [_describe(found) for found in suspects]

    def _compare_totals(self) -> VerificationResult:
        checkpoint = checkpoints.load(self.database)
        if checkpoint is None or checkpoint.cluster_time is None:
            return VerificationResult(unavailable_reason="the daemon has not bootstrapped this database yet")
        if checkpoint.reconciling is not None:
            question = gaps.pending_question(self.database)
            reason = f"the daemon waits for approval: {question}" if question else "the daemon is reconciling"
            return VerificationResult(unavailable_reason=reason)
        if checkpoint.revaluations:
            return VerificationResult(unavailable_reason="a plan's new price is still being applied")
        totals = {name: getattr(checkpoint.totals, name) for name in NUMBERS}
        sums = line_groups.sums(self.database, {"_id": {"$lte": checkpoint.seq}})
        ledger_totals = {name: getattr(sums, name) for name in NUMBERS}
        counted = self._count_source(checkpoint.cluster_time)
        return VerificationResult(
            totals, [*_mismatches("ledger", ledger_totals, totals), *_mismatches("source", counted, totals)]
        )

    def _count_source(self, time: Timestamp) -> dict[str, int]:
        """Count the source as of the checkpoint; held licenses count with their last valid state."""
        held = dead_letters.held_ids(self.database, Source.LICENSES)
        instant = cluster_datetime(time).astimezone(self.zone).replace(tzinfo=UTC)
        plans = snapshot.plans(self.database, self.decoder, self.settings.rates, self.mirror.plans().values())
        counted = source_totals.totals(self.database, plans, held, instant, time)
        return self._add_held(counted, held)

    def _add_held(self, counted: dict[str, int], held: list[DocId]) -> dict[str, int]:
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
                current = snapshot.read(self.database, source, self.decoder, session)
                for difference in snapshot.differences(source, current, self.mirror.fields(source, session)):
                    yield difference
                    found += 1
                    if found == MAX_MISMATCHES:
                        return

    def _still_differs(self, found: Difference) -> bool:
        fields = snapshot.read_one(self.database, found.source, found.id, self.decoder)
        mirrored = self.mirror.fields_of(found.source, found.id)
        if fields is None or mirrored is None:
            return (fields is None) != (mirrored is None)
        return not documents.same(found.source, fields, mirrored)


def verify_or_report(verification: Verification) -> VerificationResult:
    """Return the result of a verification; an error that prevents it is returned as a mismatch."""
    try:
        return verification.verify_totals()
    except ChatelloError as problem:
        return VerificationResult(mismatches=[str(problem)])


def _mismatches(counted_in: str, found: dict[str, int], totals: dict[str, int]) -> list[str]:
    return [
        f"{name}: {found[name]} in the {counted_in}, {totals[name]} in the running totals"
        for name in NUMBERS
        if found[name] != totals[name]
    ]


def _describe(found: Difference) -> str:
    if found.found is None:
        return f"{found.source} {found.id}: in the mirror, but no longer in the source"
    if found.mirrored is None:
        return f"{found.source} {found.id}: in the source, but not in the mirror"
    return f"{found.source} {found.id}: the mirror's fields differ from the source's"
