"""Writes facts into the outbox, inside the fenced transaction that makes them true."""

from collections.abc import Callable, Sequence

from pymongo.client_session import ClientSession

from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.collections import EVENTS, OUTBOX, event_id
from daemon.mongo.types import Database, Document
from daemon.store import event_facts, outbox
from rules.model.decision import Decision
from rules.model.facts import Fact


class OutboxWriter:
    """Exists only where a target is configured. `wake` is called after each commit that has facts."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self.database = database
        self._wake = wake

    def facts_of(self, decision: Decision, events: Sequence[Document], session: ClientSession) -> list[Fact]:
        """Return the facts of a commit that stores `events` and is about to delete the withdrawn ones."""
        stored = self._events([event_id(key) for key in decision.withdrawn], session)
        others = self._events([one.id for one in decision.external], session)
        known = self._delivered([event_facts.external_id(one) for one in decision.external if one.recovered], session)
        return [
            *event_facts.withdrawn(decision, stored),
            *event_facts.recorded(decision, events, stored),
            *(fact for fact in event_facts.external(decision, stored, others) if fact.id not in known),
        ]

    def _delivered(self, ids: Sequence[str], session: ClientSession) -> set[str]:
        """Return those ids that the outbox has: a gap finds external events again that came shortly before it.

        This reads the whole outbox (0.5 s for 300,000 commits), but only for a batch of a gap with external events.
        """
        if not ids:
            return set()
        found = self.database[OUTBOX].find({"entries.id": {"$in": ids}}, {"entries.id": 1}, session=session)
        return {entry["id"] for document in found for entry in document["entries"]} & set(ids)

    def _events(self, ids: Sequence[object], session: ClientSession) -> dict[object, Document]:
        if not ids:
            return {}
        return {event["_id"]: event for event in self.database[EVENTS].find({"_id": {"$in": ids}}, session=session)}

    def write(self, number: int, facts: Sequence[Fact], session: ClientSession) -> None:
        """Add the facts of the commit `number`, dated by the server's newest cluster time."""
        if facts:
            cluster_time = session.cluster_time
            assert cluster_time is not None, "a session in a transaction has gossiped a cluster time"
            at = cluster_datetime(cluster_time["clusterTime"])
            self.database[OUTBOX].insert_one(outbox.document(number, at, facts), session=session)

    def committed(self, facts: Sequence[Fact]) -> None:
        """Wake the targets if there was anything for them."""
        if facts:
            self._wake()
