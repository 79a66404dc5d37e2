"""The commit: events, ledger, mirror, dead letters and checkpoint are written in one transaction.

The checkpoint is updated first, by compare-and-set on the fencing epoch, so a former leader fails before it writes
anything.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import pymongo
from bson import ObjectId
from pymongo import DeleteOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError, WriteError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from daemon.errors import ErasureListChanged, LeaseLost
from daemon.mongo import collections
from daemon.mongo.client import CODEC, translated
from daemon.mongo.collections import CHECKPOINT, DEAD_LETTERS, EVENTS, LEDGER, SOURCE_NAME
from daemon.mongo.types import Database, Document
from daemon.runtime import metrics
from daemon.store import dead_letters, documents
from daemon.store.checkpoint import CHECKPOINT_ID, Checkpoint, document_of
from daemon.store.lease import Lease
from daemon.store.mirror.writes import MirrorWrites, inserts, mirror_writes
from daemon.store.outbox_writer import OutboxWriter
from rules import business_days
from rules.model.changes import Undecodable
from rules.model.decision import Decision, Mirror
from rules.model.facts import Fact
from rules.settings.settings import Settings

Write = DeleteOne | UpdateOne

DUPLICATE_KEY = 11000


@dataclass(slots=True)
class Writes:
    """Everything that one commit writes, encoded in advance because the transaction may run more than once."""

    events: list[Document]
    movements: list[Document]
    mirror: MirrorWrites
    dead_letters: list[UpdateOne]
    checkpoint: Document
    reopened: list[Document]
    withdrawn: list[ObjectId]
    decision: Decision
    facts: list[Fact] = field(default_factory=list)
    """What the transaction added to the outbox."""


class Committer:
    """Commits for the holder of one lease. Methods that write raise LeaseLost once another daemon holds it.

    `erasure_count` is the version of the erasure list that decisions are based on. Once the stored count is higher,
    methods that write raise ErasureListChanged, because a decision may contain a forgotten name. `outbox` is None
    where no target is configured.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        settings: Settings,
        timeout_seconds: float,
        erasure_count: int | None = None,
        outbox: OutboxWriter | None = None,
    ) -> None:
        self.erasure_count = erasure_count
        self.outbox = outbox
        self.database = database
        self.lease = lease
        self.settings = settings
        self.timeout_seconds = timeout_seconds

    def prepare(
        self,
        decision: Decision,
        known: Mirror,
        checkpoint: Checkpoint,
        today: date,
        undecodable: Iterable[Undecodable] = (),
    ) -> Writes:
        """Return the writes of a decision and its checkpoint, for `write`.

        `known` is the mirror that the decision is based on. Days before `today` that the decision touches are reopened.
        """
        return Writes(
            events=[documents.event_document(event) for event in decision.events],
            movements=self._movements(decision, checkpoint),
            mirror=mirror_writes(decision, known),
            dead_letters=dead_letters.writes(decision, undecodable),
            checkpoint=document_of(checkpoint),
            withdrawn=[collections.event_id(key) for key in decision.withdrawn],
            decision=decision,
            reopened=self._reopened(decision, checkpoint.seq, today),
        )

    def advance(self, checkpoint: Checkpoint, facts: Sequence[Fact] = ()) -> None:
        """Move only the checkpoint, to a position at which nothing relevant happened; add `facts` to the outbox."""
        if not facts or self.outbox is None:
            with translated(), pymongo.timeout(self.timeout_seconds):
                self._move_checkpoint(document_of(checkpoint), [], None)
            return
        self.deliver(checkpoint, lambda _session: facts)

    def deliver(self, checkpoint: Checkpoint, collect: Callable[[ClientSession], Sequence[Fact]]) -> int:
        """Store the checkpoint, and the facts that `collect` returns, in one transaction; return how many they were.

        `collect` may write; it runs again if the transaction is retried.
        """
        outbox = self.outbox
        if outbox is None:
            return 0
        checkpoint.outbox += 1
        found: list[Fact] = []

        def attempt(session: ClientSession) -> None:
            self._move_checkpoint(document_of(checkpoint), [], session)
            found[:] = collect(session)
            outbox.write(checkpoint.outbox, found, session)

        with translated(), pymongo.timeout(self.timeout_seconds):
            self._run_transaction(attempt)
        outbox.committed(found)
        return len(found)

    def _reopened(self, decision: Decision, seq: int, today: date) -> list[Document]:
        """Return the closed days that a decision touches; `moved`: the numbers of that day and all later days change.

        `mark` makes the entries of two commits differ even if `seq` is equal: removing an entry after its row is
        written must not remove an entry added in the meantime.
        """
        day_start = business_days.start(today, self.settings.zone)
        moved = self._days_before(day_start, (one.at for one in decision.movements))
        emitted = self._days_before(day_start, (one.at for one in decision.events))
        emitted |= self._days_before(day_start, (one.at for one in decision.withdrawn.values()))
        emitted |= self._days_before(day_start, (one.at for one in decision.external))
        touched = sorted(moved | emitted)
        return [
            {"day": business_days.stored(day), "seq": seq, "moved": day in moved, "mark": ObjectId()} for day in touched
        ]

    def _days_before(self, day_start: datetime, times: Iterable[datetime]) -> set[date]:
        """Return the business days of those `times` that are before an instant; usually there are none."""
        listed = list(times)
        if not listed or min(listed) >= day_start:
            return set()
        return {business_days.business_day(at, self.settings.zone) for at in listed if at < day_start}

    def _movements(self, decision: Decision, checkpoint: Checkpoint) -> list[Document]:
        first = checkpoint.seq - len(decision.movements) + 1
        of_days = business_days.business_days([movement.at for movement in decision.movements], self.settings.zone)
        lines = zip(decision.movements, of_days, strict=True)
        return [documents.movement_document(movement, seq, day) for seq, (movement, day) in enumerate(lines, first)]

    def write(self, writes: Writes) -> int:
        """Run the transaction without the events that are already stored; return the number of new events.

        Raises LeaseLost, Unavailable and other translated driver errors. After an error either nothing or everything
        was written: read the checkpoint to find out.
        """
        while True:
            try:
                with translated(), pymongo.timeout(self.timeout_seconds):
                    self._transaction(writes)
                return len(writes.events)
            except _EventsExist:
                writes.events = self._not_stored(writes.events, writes.withdrawn)

    def _transaction(self, writes: Writes) -> None:
        self._run_transaction(lambda session: self._write_all(writes, session))
        if self.outbox is not None:
            self.outbox.committed(writes.facts)

    def _run_transaction(self, write: Callable[[ClientSession], None]) -> None:
        attempts: list[ClientSession] = []

        def attempt(session: ClientSession) -> None:
            attempts.append(session)
            write(session)

        self.lease.session.with_transaction(
            attempt, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
        )
        metrics.RETRIES.inc(len(attempts) - 1)

    def _write_all(self, writes: Writes, session: ClientSession) -> None:
        self._move_checkpoint(writes.checkpoint, writes.reopened, session)
        for command in (*writes.mirror.commands(), *inserts(LEDGER, writes.movements)):
            self._run_command(command, session)
        if writes.dead_letters:
            self.database[DEAD_LETTERS].bulk_write(writes.dead_letters, session=session)
        if self.outbox is not None:
            writes.facts = self.outbox.facts_of(writes.decision, writes.events, session)
            self.outbox.write(writes.checkpoint["outbox"], writes.facts, session)
        if writes.withdrawn:
            self.database[EVENTS].bulk_write(withdrawals(writes.withdrawn), session=session)
        self._insert_events(writes.events, session)

    def _move_checkpoint(self, document: Document, reopened: list[Document], session: ClientSession | None) -> None:
        expected = {"_id": CHECKPOINT_ID, "epoch": self.lease.epoch, "forgotten": self.erasure_count}
        change: Document = {"$set": document}
        if reopened:
            change["$addToSet"] = {"reopened": {"$each": reopened}}
        if session is not None:
            matched = self._run_command({"update": CHECKPOINT, "updates": [{"q": expected, "u": change}]}, session)
        else:
            alone = self.database.get_collection(CHECKPOINT, write_concern=WriteConcern("majority"))
            matched = alone.update_one(expected, change).matched_count
        if matched != 1:
            self._raise_if_erasure_list_changed(session)
            raise LeaseLost(
                f"the checkpoint no longer has epoch {self.lease.epoch}: another daemon is the leader; "
                "this one continues as standby"
            )

    def _raise_if_erasure_list_changed(self, session: ClientSession | None) -> None:
        """Raise ErasureListChanged if the lease is still held, so that only the erasure list can differ."""
        if self.database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID, "epoch": self.lease.epoch}, {}, session=session):
            raise ErasureListChanged("a customer was added to the erasure list; the daemon continues without the name")

    def _insert_events(self, events: list[Document], session: ClientSession) -> None:
        try:
            for command in inserts(EVENTS, events):
                self._run_command(command, session)
        except DuplicateKeyError as error:
            raise _EventsExist from error

    def _run_command(self, command: Document, session: ClientSession) -> int:
        """Run a write command; return the number of documents matched or inserted.

        PyMongo's collection methods would double the cost of the encoding; a transaction needs nothing they add.
        """
        reply = self.database.command(command, session=session, codec_options=CODEC)  # a reply contains ids of any type
        if failed := reply.get("writeErrors"):
            kind = DuplicateKeyError if failed[0].get("code") == DUPLICATE_KEY else WriteError
            raise kind(str(failed[0].get("errmsg")), failed[0].get("code"), failed[0])
        return int(reply["n"])

    def _not_stored(self, events: list[Document], withdrawn: list[ObjectId]) -> list[Document]:
        """Return the events that are not stored once `withdrawn` is deleted, without duplicates."""
        ids = list({event["_id"] for event in events} - set(withdrawn))
        with translated():
            stored = {d["_id"] for d in self.database[EVENTS].find({"_id": {"$in": ids}}, {"_id": 1})}
        unique = {event["_id"]: event for event in reversed(events)}
        return [event for event_id, event in reversed(unique.items()) if event_id not in stored]


class _EventsExist(Exception):
    """A duplicate `_id` aborted the transaction; it has to run again without the stored events."""


def withdrawals(ids: Iterable[ObjectId]) -> list[Write]:
    """Return deletions of our own events whose facts external events report; external events are never deleted."""
    return [DeleteOne({"_id": event_id, "metadata.source": SOURCE_NAME}) for event_id in ids]
