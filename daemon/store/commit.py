"""The one transaction: events, ledger, mirror, dead letters and checkpoint move together or not at all.

The checkpoint is moved by compare-and-set on the fencing epoch, first of all, so a former holder of the lease
is refused before it writes a thing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
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
from daemon.mongo.client import translated
from daemon.mongo.collections import CHECKPOINT, DEAD_LETTERS, EVENTS, LEDGER, SOURCE_NAME
from daemon.mongo.types import Database, Document
from daemon.runtime import metrics
from daemon.store import documents
from daemon.store.checkpoint import CHECKPOINT_ID, Checkpoint, document_of
from daemon.store.lease import Lease
from daemon.store.mirror import states
from daemon.store.mirror.writes import MirrorWrites, inserts, mirror_writes
from rules import business_days
from rules.handlers.decide import Decision, HeldDocument, Mirror
from rules.model.changes import Undecodable
from rules.settings.settings import Settings

Write = DeleteOne | UpdateOne

DUPLICATE_KEY = 11000


@dataclass(slots=True)
class Writes:
    """Everything one commit writes, encoded beforehand: the transaction may run more than once."""

    events: list[Document]
    movements: list[Document]
    mirror: MirrorWrites
    letters: list[Write]
    checkpoint: Document
    reopened: list[Document]
    withdrawn: list[ObjectId]


class Committer:
    """Commits for the holder of one lease. Every method that writes raises LeaseLost once somebody else holds it.

    `forgotten` counts how often somebody was to be forgotten as far as the holder knows; once it is more, every method
    raises SomebodyForgotten: what was decided on may hold a name.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        settings: Settings,
        timeout_seconds: float,
        forgotten: int | None = None,
    ) -> None:
        self.forgotten = forgotten
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
        """What makes a decision durable and moves the checkpoint, for `write`; nothing is written yet.

        `known` is the mirror the decision was made on; days before `today` that it touches are reopened.
        """
        return Writes(
            events=[documents.event_document(event) for event in decision.events],
            movements=self._movements(decision, checkpoint),
            mirror=mirror_writes(decision, known),
            letters=dead_letter_writes(decision, undecodable),
            checkpoint=document_of(checkpoint),
            withdrawn=[collections.event_id(key) for key in decision.withdrawn],
            reopened=self._reopened(decision, checkpoint.seq, today),
        )

    def advance(self, checkpoint: Checkpoint) -> None:
        """Move the checkpoint alone: nothing relevant happened up to here."""
        with translated(), pymongo.timeout(self.timeout_seconds):
            self._move(document_of(checkpoint), [], None)

    def _reopened(self, decision: Decision, seq: int, today: date) -> list[Document]:
        """The days that are over and to which a decision adds; `moved`: numbers change, then and every later day.

        No two commits leave equal entries, though their `seq` may be the same: one that is struck off while its row is
        written must not take with it what came meanwhile.
        """
        begun = business_days.start(today, self.settings.zone)
        moved = self._days_before(begun, (one.at for one in decision.movements))
        told = self._days_before(begun, (one.at for one in decision.events))
        told |= self._days_before(begun, (*decision.withdrawn.values(), *decision.external_event_times))
        touched = sorted(moved | told)
        return [
            {"day": business_days.stored(day), "seq": seq, "moved": day in moved, "mark": ObjectId()} for day in touched
        ]

    def _days_before(self, begun: datetime, times: Iterable[datetime]) -> set[date]:
        """The days of those of `times` that lie before an instant; hardly ever there are any."""
        listed = list(times)
        if not listed or min(listed) >= begun:
            return set()
        return {business_days.business_day(at, self.settings.zone) for at in listed if at < begun}

    def _movements(self, decision: Decision, checkpoint: Checkpoint) -> list[Document]:
        first = checkpoint.seq - len(decision.movements) + 1
        of_days = business_days.business_days([movement.at for movement in decision.movements], self.settings.zone)
        lines = zip(decision.movements, of_days, strict=True)
        return [documents.movement_document(movement, seq, day) for seq, (movement, day) in enumerate(lines, first)]

    def write(self, writes: Writes) -> int:
        """Run the transaction, leaving out events that stand already; the number of events that are new.

        Raises LeaseLost, Unavailable and what the driver's errors translate to; after any of them nothing or
        everything was written: read the checkpoint.
        """
        while True:
            try:
                with translated(), pymongo.timeout(self.timeout_seconds):
                    self._transaction(writes)
                return len(writes.events)
            except _EventsExist:
                writes.events = self._missing(writes.events, writes.withdrawn)

    def _transaction(self, writes: Writes) -> None:
        attempts: list[ClientSession] = []

        def attempt(session: ClientSession) -> None:
            attempts.append(session)
            self._all(writes, session)

        self.lease.session.with_transaction(
            attempt, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
        )
        metrics.RETRIES.inc(len(attempts) - 1)

    def _all(self, writes: Writes, session: ClientSession) -> None:
        self._move(writes.checkpoint, writes.reopened, session)
        for command in (*writes.mirror.commands(), *inserts(LEDGER, writes.movements)):
            self._run(command, session)
        if writes.letters:
            self.database[DEAD_LETTERS].bulk_write(writes.letters, session=session)
        if writes.withdrawn:
            self.database[EVENTS].bulk_write(withdrawals(writes.withdrawn), session=session)
        self._insert_events(writes.events, session)

    def _move(self, document: Document, reopened: list[Document], session: ClientSession | None) -> None:
        ours = {"_id": CHECKPOINT_ID, "epoch": self.lease.epoch, "forgotten": self.forgotten}
        change: Document = {"$set": document}
        if reopened:
            change["$addToSet"] = {"reopened": {"$each": reopened}}
        if session is not None:
            matched = self._run({"update": CHECKPOINT, "updates": [{"q": ours, "u": change}]}, session)
        else:
            alone = self.database.get_collection(CHECKPOINT, write_concern=WriteConcern("majority"))
            matched = alone.update_one(ours, change).matched_count
        if matched != 1:
            self._find_out(session)
            raise LeaseLost(
                f"the checkpoint no longer carries epoch {self.lease.epoch}: another daemon took over; standing by"
            )

    def _find_out(self, session: ClientSession | None) -> None:
        """Raises SomebodyForgotten where the lease is still ours."""
        if self.database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID, "epoch": self.lease.epoch}, {}, session=session):
            raise ErasureListChanged("a person was forgotten meanwhile; going on without the name")

    def _insert_events(self, events: list[Document], session: ClientSession) -> None:
        try:
            for command in inserts(EVENTS, events):
                self._run(command, session)
        except DuplicateKeyError as error:
            raise _EventsExist from error

    def _run(self, command: Document, session: ClientSession) -> int:
        """A write as the server knows it, and how many documents it found or made.

        The driver's own interface costs as much again as the encoding; what it adds is not needed in a transaction.
        """
        answer = self.database.command(command, session=session)
        if failed := answer.get("writeErrors"):
            kind = DuplicateKeyError if failed[0].get("code") == DUPLICATE_KEY else WriteError
            raise kind(str(failed[0].get("errmsg")), failed[0].get("code"), failed[0])
        return int(answer["n"])

    def _missing(self, events: list[Document], withdrawn: list[ObjectId]) -> list[Document]:
        """Those events whose fact will not be told yet when they are inserted, each once."""
        ids = list({event["_id"] for event in events} - set(withdrawn))
        with translated():
            stored = {d["_id"] for d in self.database[EVENTS].find({"_id": {"$in": ids}}, {"_id": 1})}
        unique = {event["_id"]: event for event in reversed(events)}
        return [event for event_id, event in reversed(unique.items()) if event_id not in stored]


class _EventsExist(Exception):
    """A duplicate `_id` aborted the transaction; run it again without the events that stand."""


def withdrawals(ids: Iterable[ObjectId]) -> list[Write]:
    """Take back our own events where somebody else told the same facts; a document of theirs is never touched."""
    return [DeleteOne({"_id": event_id, "metadata.source": SOURCE_NAME}) for event_id in ids]


def dead_letter_writes(decision: Decision, undecodable: Iterable[Undecodable]) -> list[Write]:
    """One dead letter per held document, kept after its release as a record."""
    writes: list[Write] = [_dead_letter(held) for held in decision.held.values()]
    writes += [_raw_dead_letter(one) for one in undecodable]
    writes += [
        UpdateOne({"_id": states.mirror_id(source, doc_id)}, {"$set": {"state": "released"}})
        for source, doc_id in decision.released
    ]
    return writes


def _dead_letter(held: HeldDocument) -> UpdateOne:
    raw = {
        "operation": held.change.op.value,
        "cause": held.change.cause,
        "fields": states.storable(held.fields),
    }
    return _upsert(states.mirror_id(held.source, held.id), held.reason, raw, held.change.at)


def _raw_dead_letter(one: Undecodable) -> UpdateOne:
    letter_id = states.mirror_id(one.source, one.raw)
    if one.is_gone:
        return UpdateOne({"_id": letter_id}, {"$set": {"state": "released"}})
    return _upsert(letter_id, one.reason, {"raw": one.raw}, one.at)


def _upsert(letter_id: Document, reason: str, change: Document, at: datetime) -> UpdateOne:
    return UpdateOne(
        {"_id": letter_id},
        {
            "$set": {"state": "held", "reason": reason, "change": change, "last_at": at},
            "$min": {"first_at": at},
            "$inc": {"count": 1},
        },
        upsert=True,
    )
