"""Makes the mirror equal to the source: after a first start, lost history, a drop, a restore, or on request.

The source is read at one snapshot. Every difference becomes a Change and is applied like the stream's; the stream then
continues from the snapshot's cluster time, so nothing overlaps and nothing is missed. An interrupted run leaves
`reconciling` in the checkpoint and is repeated.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from daemon.config.schema import Config
from daemon.errors import DeletionsNotAccepted
from daemon.mongo.client import translated
from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.types import ClientSession, Database, Timestamp
from daemon.pipeline import approval
from daemon.pipeline.pipeline import Pipeline
from daemon.runtime import logs, metrics
from daemon.source import snapshot
from daemon.source.custom_rules import CustomRuleMatcher
from daemon.source.decode import Decoder, unusable_id
from daemon.source.external_events import external_events_between
from daemon.source.filter import DISCONTINUITIES
from daemon.source.snapshot import Difference
from daemon.store.mirror.reader import MirrorReader
from daemon.store.mirror.states import decoded_fields
from rules.handlers import payments
from rules.model.changes import Change, DocId, Fields, Operation, Origin, Source

ORDER = (Source.PLANS, Source.CUSTOMERS, Source.PAYMENTS, Source.LICENSES)
"""Plans price licenses, the others name customers, and where payments exist no license stands for one."""

STEP = 1000
"""Documents of the mirror between two records of progress."""
SECOND = timedelta(seconds=1)

log = logs.get("reconciliation")


class SnapshotDiff:
    """Comparison of source and mirror at one snapshot. Writes nothing.

    `on_progress` is called as documents are read, because reading a large shop without differences takes long.
    """

    def __init__(
        self,
        database: Database,
        reader: MirrorReader,
        decoder: Decoder,
        session: ClientSession,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.database = database
        self.reader = reader
        self.on_progress = on_progress
        self.decoder = decoder
        self.session = session
        self.cluster_time: Timestamp = snapshot.snapshot_time(database, session)
        self.mirrored: Counter[Source] = Counter()
        self.invalid_ids: list[Any] = []
        """Ids of the collection read last that are not plain values."""

    def differences(self, source: Source) -> Iterator[Difference]:
        self.invalid_ids = []
        found = snapshot.read(self.database, source, self.decoder, self.session, self.invalid_ids)
        return snapshot.differences(source, found, self._mirror(source))

    def _mirror(self, source: Source) -> Iterator[tuple[DocId, Fields]]:
        """Yield the mirrored documents that exist in the source, and count them.

        A held document has no fields here: it always differs and so is tried again.
        """
        self.mirrored[source] = 0
        for number, document in enumerate(self.reader.documents(source, self.session), 1):
            if number % STEP == 0:
                self.on_progress()
            if document.get("present", True):
                self.mirrored[source] += 1
                yield document["_id"]["id"], {} if document.get("held") else decoded_fields(document)


class Reconciliation:
    """One run. `recovered` counts what earlier, interrupted runs committed."""

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
        self.limit = config.reconciliation.limit()
        self.batch_size = config.stream.batch_size
        self.rules = config.rules.custom
        self.recovered: Counter[str] = Counter(recovered)
        self.commits = 0
        self.knows_payments = payments.is_after_bootstrap(pipeline.checkpoint.memory)

    def run(self, since: datetime | None, gap: Mapping[str, Any]) -> Timestamp:
        """Commit every difference; return the cluster time to follow the stream from.

        `since` is when the stream was last followed; None on the first start, which emits no events.
        Raises SnapshotTooOld if the server no longer keeps the snapshot; what is committed by then stays.
        Raises DeletionsNotAccepted if too many documents disappeared, or if a restore may still bring them back; all
        other differences are committed.
        """
        with translated(), self.database.client.start_session(snapshot=True) as session:
            diff = SnapshotDiff(self.database, self.pipeline.reader, self.decoder, session, self.pipeline.step)
            until = cluster_datetime(diff.cluster_time)
            gone = {source: self._apply(diff, source, since, until) for source in ORDER}
            if any(gone.values()):
                self._check_deletions(diff, gone, gap)
                for source in reversed(ORDER):
                    self._delete(diff, source, since, until)
            if since is not None:
                self._apply_external(diff, since, until)
            self._recover(diff, since, until)
            self.pipeline.expire_due(until)
            return diff.cluster_time

    def _apply(self, diff: SnapshotDiff, source: Source, since: datetime | None, until: datetime) -> int:
        """Commit what is new or different in one collection; return how many documents disappeared from it."""
        gone = 0

        def found() -> Iterator[Change]:
            nonlocal gone
            for difference in diff.differences(source):
                if difference.found is None:
                    gone += 1
                else:
                    yield self._found(difference, difference.found, since, until, diff.cluster_time)

        self._commit(found())
        if diff.invalid_ids:
            self.pipeline.apply([], None, [unusable_id(source, doc_id, until) for doc_id in diff.invalid_ids])
        return gone

    def _found(
        self, difference: Difference, fields: Fields, since: datetime | None, until: datetime, time: Timestamp
    ) -> Change:
        """Return the change of a document that is new or different, dated by its creation if that lies in the gap.

        Payments older than the daemon's knowledge of payments are applied without events.
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
            since=None if made else since,
        )

    def _apply_external(self, diff: SnapshotDiff, since: datetime, until: datetime) -> None:
        """Apply the external events of the gap: they replace the own events of facts found in it or known before."""
        external = external_events_between(self.database, since, until, _cause(diff.cluster_time), diff.session)
        for batch in _batches(external, self.batch_size):
            self.pipeline.apply(batch, None)

    def _recover(self, diff: SnapshotDiff, since: datetime | None, until: datetime) -> None:
        """Commit what the custom rules would have emitted during the gap, as far as the documents show it."""
        matcher = CustomRuleMatcher(self.database, self.rules, self.decoder)
        if since is not None:
            self._commit(matcher.recovered(since, until, _cause(diff.cluster_time), diff.session))

    def _delete(self, diff: SnapshotDiff, source: Source, since: datetime | None, until: datetime) -> None:
        gone = (found for found in diff.differences(source) if found.found is None)
        self._commit(_gone(found, since, until, diff.cluster_time) for found in gone)

    def _commit(self, changes: Iterable[Change]) -> None:
        for batch in _batches(changes, self.batch_size):
            self.pipeline.step()
            self.pipeline.apply(batch, None)
            self.pipeline.run_pending_revaluations()
            self.commits += 1
            self.recovered.update(f"{change.source}_{change.op}" for change in batch)
            metrics.RECOVERED.labels(batch[0].source.value).inc(len(batch))
            log.info("difference.committed", **self.recovered)
        self.pipeline.step()

    def _check_deletions(self, diff: SnapshotDiff, gone: dict[Source, int], gap: Mapping[str, Any]) -> None:
        if gap.get("accept_deletions"):
            return
        missing = {source.value: count for source, count in gone.items() if count}
        checkpoint = self.pipeline.checkpoint
        questions = (
            approval.question(self.limit, checkpoint, source, diff.mirrored[source], count)
            for source, count in gone.items()
        )
        if asked := "; ".join(filter(None, questions)):
            raise DeletionsNotAccepted(
                f"{asked}; if that is intended, run 'chatello-analytics reconcile --accept-deletions'; "
                "if not, restore the documents: they are compared again every minute",
                missing,
                {source.value: diff.mirrored[source] for source in gone},
                is_asked=True,
            )
        if _may_be_coming_back(gap) and missing != gap.get("missing"):
            named = ", ".join(f"{count} {source}" for source, count in missing.items())
            raise DeletionsNotAccepted(
                f"{named} disappeared with a collection that may be restored: compared again in a minute",
                missing,
            )


def _batches(changes: Iterable[Change], size: int) -> Iterator[list[Change]]:
    iterator = iter(changes)
    while batch := list(islice(iterator, size)):
        yield batch


def _may_be_coming_back(gap: Mapping[str, Any]) -> bool:
    """After a drop, or while deletions wait for approval, a document is only gone if two comparisons miss it."""
    causes = {gap.get("cause"), *gap.get("further_causes", ())}
    return bool(causes & set(DISCONTINUITIES)) or gap.get("missing") is not None


def _gone(difference: Difference, since: datetime | None, until: datetime, time: Timestamp) -> Change:
    cause = _cause(time)
    return Change(
        difference.source, Operation.DELETE, difference.id, until, cause, origin=Origin.RECOVERED, since=since
    )


def _cause(time: Timestamp) -> str:
    return f"reconciliation:{time.time}.{time.inc}"


def _made(fields: Fields, since: datetime | None, until: datetime) -> datetime | None:
    """Return `created_at` if it lies in the gap, whose ends are whole seconds; else None."""
    made = fields.get("created_at")
    if since is None or not isinstance(made, datetime) or not since < made < until + SECOND:
        return None
    return min(made, until)
