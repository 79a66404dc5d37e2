"""The lease: one holder at a time, by the server's clock, fenced by an increasing epoch.

Acquiring the lease raises the epoch in the checkpoint, so the next commit of a former holder fails. The lease contains
the holder's session, so that the next holder can abort a transaction that was left open.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure
from pymongo.write_concern import WriteConcern

from daemon.mongo.client import translated
from daemon.mongo.collections import CHECKPOINT
from daemon.mongo.types import Database, Document
from daemon.store.checkpoint import CHECKPOINT_ID

LEASE_ID = "lease"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lease:
    """A held lease: its fencing epoch, and the session of its transactions."""

    holder: str
    epoch: int
    session: ClientSession


class Leaser:
    """Acquires, renews and releases the lease for one daemon, named `holder`."""

    def __init__(self, database: Database, holder: str, seconds: float) -> None:
        self.database = database
        self.holder = holder
        self.seconds = seconds
        self.milliseconds = int(seconds * 1000)
        self.collection: Collection[Document] = database.get_collection(
            CHECKPOINT, write_concern=WriteConcern("majority")
        )
        run_out = {"$lt": [{"$ifNull": ["$expires_at", EPOCH]}, "$$NOW"]}
        self._free = {"$or": [{"$eq": ["$holder", {"$literal": holder}]}, run_out]}

    def acquire(self, session: ClientSession) -> Lease | None:
        """Return the lease if it is free or expired, else None. `session` is recorded before it is used."""
        with translated():
            before = self._seize(session)
            if before is None:
                return None
            self._end_transactions_of(before)
            lease = self.collection.find_one({"_id": LEASE_ID, "holder": self.holder})
            if lease is None:
                return None
            self.collection.update_one({"_id": CHECKPOINT_ID}, {"$max": {"epoch": lease["epoch"]}}, upsert=True)
            return Lease(self.holder, lease["epoch"], session)

    def _seize(self, session: ClientSession) -> Document | None:
        """Take the lease and return its previous document (maybe our own); None if another daemon holds it."""
        if not self._is_free():
            return None
        expires_at = {"$add": ["$$NOW", self.milliseconds]}
        taken = {
            "holder": {"$literal": self.holder},
            "epoch": {"$add": [{"$ifNull": ["$epoch", 0]}, 1]},
            "expires_at": expires_at,
            "session": {"$literal": session.session_id},
        }
        return self.collection.find_one_and_update(
            {"_id": LEASE_ID, "$expr": self._free}, [{"$set": taken}], return_document=ReturnDocument.BEFORE
        )

    def _is_free(self) -> bool:
        """Return whether the lease can be taken: a single read, the only query of a standby, once a second."""
        seen = self.collection.find_one({"_id": LEASE_ID}, {"free": self._free})
        if seen is None:
            with suppress(DuplicateKeyError):
                self.collection.insert_one({"_id": LEASE_ID, "epoch": 0})
        return seen is None or bool(seen["free"])

    def _end_transactions_of(self, lease: Document) -> None:
        """End the session of the former holder: if it was killed, its open transaction still has locks."""
        session_id = lease.get("session")
        if session_id is None:
            return
        try:
            self.database.client.admin.command("killSessions", [session_id])
        except OperationFailure as refused:
            if refused.code not in (13, 8000):
                raise

    def holder_now(self) -> str:
        """Return the name of the holder, for display; "no daemon" before the first."""
        with translated():
            lease = self.collection.find_one({"_id": LEASE_ID}, {"holder": 1})
        return str((lease or {}).get("holder", "no daemon"))

    def renew(self, lease: Lease) -> bool:
        """Extend the lease; False if another daemon holds it."""
        with translated():
            result = self.collection.update_one(
                {"_id": LEASE_ID, "holder": lease.holder, "epoch": lease.epoch},
                [{"$set": {"expires_at": {"$add": ["$$NOW", self.milliseconds]}}}],
            )
        return result.matched_count == 1

    def release(self, lease: Lease) -> None:
        """Release the lease, so that another daemon can acquire it at once."""
        with translated():
            self.collection.update_one(
                {"_id": LEASE_ID, "holder": lease.holder, "epoch": lease.epoch},
                {"$unset": {"expires_at": "", "session": ""}},
            )
