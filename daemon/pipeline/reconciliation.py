"""Makes the mirror equal to the source again: the one way for first start, lost history, drop, restore, repair.

The source is read at one snapshot; every difference becomes a Change and goes through the same door as the
stream's; the stream then goes on from the snapshot's cluster time: no overlap, no hole. A run that is cut off
leaves `reconciling` in the checkpoint and is begun anew.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from daemon.config.schema import Config
from daemon.errors import DeletionsNotAccepted
from daemon.mongo.client import translated
from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.types import ClientSession, Database, Timestamp
from daemon.pipeline.pipeline import Beat, Pipeline
from daemon.runtime import logs, metrics
from daemon.source import snapshot
from daemon.source.custom_rules import CustomRuleMatcher
from daemon.source.decode import Decoder, unreadable
from daemon.source.external_events import external_events_between
from daemon.source.filter import DISCONTINUITIES
from daemon.source.snapshot import Difference
from daemon.store import forgotten
from daemon.store.mirror.reader import MirrorReader
from daemon.store.mirror.states import decoded_fields
from rules.handlers import payments
from rules.model.changes import Change, DocId, Fields, Operation, Origin, Source

ORDER = (Source.PLANS, Source.CUSTOMERS, Source.PAYMENTS, Source.LICENSES)
"""Plans first, they price licences; customers next, the others name them; where there are payments, no licence stands
for one."""

NAMED = 5
STEP = 1000
"""Documents of the mirror after which a walk has got on."""
SECOND = timedelta(seconds=1)

log = logs.get("reconciliation")


class SnapshotDiff:
    """One comparison of source and mirror at one snapshot. Writes nothing."""

    def __init__(
        self,
        database: Database,
        reader: MirrorReader,
        decoder: Decoder,
        session: ClientSession,
        beat: Beat = lambda: None,
    ) -> None:
        """`beat` is called as documents pass: a large shop in which nothing differs takes its time too."""
        self.database = database
        self.reader = reader
        self.beat = beat
        self.decoder = decoder
        self.session = session
        self.cluster_time: Timestamp = snapshot.snapshot_time(database, session)
        self.mirrored: Counter[Source] = Counter()
        self.passed_over: list[Any] = []
        """Ids of the collection walked last that are no plain values, the first of them."""

    def differences(self, source: Source) -> Iterator[Difference]:
        self.passed_over = []
        found = snapshot.read(self.database, source, self.decoder, self.session, self.passed_over)
        return snapshot.differences(source, found, self._mirror(source))

    def _mirror(self, source: Source) -> Iterator[tuple[DocId, Fields]]:
        """The mirror's documents that stand for one in the source, counted as they pass.

        A held one shows no fields: it differs from whatever is there, and so is tried again.
        """
        self.mirrored[source] = 0
        for number, document in enumerate(self.reader.documents(source, self.session), 1):
            if number % STEP == 0:
                self.beat()
            if document.get("present", True):
                self.mirrored[source] += 1
                yield document["_id"]["id"], {} if document.get("held") else decoded_fields(document)


def survey(database: Database, config: Config) -> list[str]:
    """What a reconciliation would take over or delete, a line per kind with the first ids; writes nothing."""
    known = forgotten.load(database)
    decoder = Decoder(config.time.naive_zone, config.rules.manual_email, known.holds)
    reader = MirrorReader(database, config.settings())
    counts: Counter[str] = Counter()
    first: dict[str, list[str]] = {}
    with translated(), database.client.start_session(snapshot=True) as session:
        walk = SnapshotDiff(database, reader, decoder, session)
        for source in ORDER:
            for found in walk.differences(source):
                kind = f"{source} {_kind(found)}"
                counts[kind] += 1
                if counts[kind] <= NAMED:
                    first.setdefault(kind, []).append(str(found.id))
    return [f"{count} {kind}: {', '.join(first[kind])}" for kind, count in counts.items()]


def _kind(found: Difference) -> str:
    if found.found is None:
        return "disappeared"
    return "new" if found.mirrored is None else "different"


class Reconciliation:
    """One run. `recovered` counts what runs before it, cut off, took over already."""

    def __init__(
        self,
        database: Database,
        pipeline: Pipeline,
        decoder: Decoder,
        config: Config,
        recovered: Mapping[str, int],
    ) -> None:
        self.database = database
        self.pipeline = pipeline
        self.decoder = decoder
        self.limits = config.reconciliation
        self.batch_size = config.stream.batch_size
        self.rules = config.rules.custom
        self.recovered: Counter[str] = Counter(recovered)
        self.commits = 0
        self.knows_payments = payments.is_after_bootstrap(pipeline.checkpoint.memory)

    def run(self, since: datetime | None, gap: Mapping[str, Any], beat: Beat) -> Timestamp:
        """Commit every difference; the cluster time to follow the stream from.

        `since` is when the stream was last followed; None on the first start, which is silent.
        Raises SnapshotTooOld when the server no longer keeps the snapshot; what was committed by then is done.
        Raises DeletionsNotAccepted when too much disappeared, or when a restore may still be bringing it back,
        with everything else committed.
        """
        with translated(), self.database.client.start_session(snapshot=True) as session:
            walk = SnapshotDiff(self.database, self.pipeline.reader, self.decoder, session, beat)
            until = cluster_datetime(walk.cluster_time)
            gone = {source: self._apply(walk, source, since, until, beat) for source in ORDER}
            if any(gone.values()):
                self._check_deletions(walk, gone, gap)
                for source in reversed(ORDER):
                    self._delete(walk, source, until, beat)
            if since is not None:
                self._remember_external(walk, since, until)
            self._recover(walk, since, until, beat)
            self.pipeline.expire_due(until)
            return walk.cluster_time

    def _apply(self, walk: SnapshotDiff, source: Source, since: datetime | None, until: datetime, beat: Beat) -> int:
        """Commit what is new or different in one collection; how many documents disappeared from it."""
        gone = 0
        batch: list[Change] = []
        for difference in walk.differences(source):
            if difference.found is None:
                gone += 1
                continue
            batch.append(self._found(difference, difference.found, since, until, walk.cluster_time))
            if len(batch) == self.batch_size:
                self._commit(batch, beat)
                batch = []
        self._commit(batch, beat)
        if walk.passed_over:
            self.pipeline.apply([], None, [unreadable(source, doc_id, until) for doc_id in walk.passed_over])
        return gone

    def _found(
        self, difference: Difference, fields: Fields, since: datetime | None, until: datetime, time: Timestamp
    ) -> Change:
        """A document that appeared or differs, dated by its own creation where that is sane, else by the gap's end.

        Payments that were there before the daemon knew of payments at all are no news.
        """
        is_new = difference.mirrored is None
        made = _made(fields, since, until) if is_new else until
        is_old = difference.source is Source.PAYMENTS and not self.knows_payments and made is None
        return Change(
            source=difference.source,
            op=Operation.INSERT if is_new else Operation.REPLACE,
            id=difference.id,
            at=made or until,
            cause=_cause(time),
            fields=fields,
            origin=Origin.BOOTSTRAP if since is None or is_old else Origin.RECOVERED,
        )

    def _remember_external(self, walk: SnapshotDiff, since: datetime, until: datetime) -> None:
        """What others told meanwhile of facts told before the gap; of those found in it they were asked already."""
        told = external_events_between(self.database, since, until, _cause(walk.cluster_time), walk.session)
        while batch := list(islice(told, self.batch_size)):
            self.pipeline.apply(batch, None)

    def _recover(self, walk: SnapshotDiff, since: datetime | None, until: datetime, beat: Beat) -> None:
        """What the owner's own rules would have heard in the gap, as far as the documents tell."""
        judge = CustomRuleMatcher(self.database, self.rules, self.decoder)
        found = judge.recovered(since, until, _cause(walk.cluster_time), walk.session) if since is not None else ()
        batch: list[Change] = []
        for change in found:
            batch.append(change)
            if len(batch) == self.batch_size:
                self._commit(batch, beat)
                batch = []
        self._commit(batch, beat)

    def _delete(self, walk: SnapshotDiff, source: Source, until: datetime, beat: Beat) -> None:
        batch: list[Change] = []
        for difference in walk.differences(source):
            if difference.found is None:
                batch.append(_gone(difference, until, walk.cluster_time))
            if len(batch) == self.batch_size:
                self._commit(batch, beat)
                batch = []
        self._commit(batch, beat)

    def _commit(self, batch: list[Change], beat: Beat) -> None:
        beat()
        if batch:
            self.pipeline.apply(batch, None)
            self.pipeline.run_pending_revaluations()
            self.commits += 1
            self.recovered.update(f"{change.source}_{change.op}" for change in batch)
            metrics.RECOVERED.labels(batch[0].source.value).inc(len(batch))
            log.info("difference.committed", **self.recovered)

    def _check_deletions(self, walk: SnapshotDiff, gone: dict[Source, int], gap: Mapping[str, Any]) -> None:
        if gap.get("accept_deletions"):
            return
        missing = {source.value: count for source, count in gone.items() if count}
        for source, count in gone.items():
            known = walk.mirrored[source]
            if source is Source.PAYMENTS:  # nothing follows from their going, and old ones may be cleared away
                continue
            if count > self.limits.max_deleted and count > known * self.limits.max_deleted_share:
                raise DeletionsNotAccepted(
                    f"{count} of {known} {source} disappeared from the database; if that is meant, say "
                    "'chatello-analytics reconcile --accept-deletions'; if not, restore the collection: "
                    "it is looked at again every minute",
                    missing,
                )
        if _may_be_coming_back(gap) and missing != gap.get("missing"):
            named = ", ".join(f"{count} {source}" for source, count in missing.items())
            raise DeletionsNotAccepted(
                f"{named} disappeared with a collection, which may be on its way back: looked at again in a minute",
                missing,
            )


def _may_be_coming_back(gap: Mapping[str, Any]) -> bool:
    """After a drop or rename, or while deletions are questioned, only what two looks miss alike is gone."""
    causes = {gap.get("cause"), *gap.get("further_causes", ())}
    return bool(causes & set(DISCONTINUITIES)) or gap.get("missing") is not None


def _gone(difference: Difference, until: datetime, time: Timestamp) -> Change:
    return Change(difference.source, Operation.DELETE, difference.id, until, _cause(time), origin=Origin.RECOVERED)


def _cause(time: Timestamp) -> str:
    return f"reconciliation:{time.time}.{time.inc}"


def _made(fields: Fields, since: datetime | None, until: datetime) -> datetime | None:
    """When a document says it was made, where that lies in the gap; its ends are whole seconds."""
    made = fields.get("created_at")
    if since is None or not isinstance(made, datetime) or not since < made < until + SECOND:
        return None
    return min(made, until)
