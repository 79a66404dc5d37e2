"""Business events that newer dashboards write themselves right after the document, each once.

Milestones are the exception: the dashboard checks them after every creation and repeats those crossed that day.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from bson import ObjectId

from daemon.demo.simulator import documents
from daemon.mongo.types import Database, Document

LEVELS = {"customers": (10, 25, 50, 100, 250, 500, 1000), "licenses": (5, 10, 25, 50, 100, 250, 500, 1000)}
LEVEL_TEXTS = {"customers": "🎉 Raggiunti {} clienti totali!", "licenses": "🎫 Raggiunte {} licenze attive!"}
EVENT_DELAY = timedelta(milliseconds=3)


class Triggers:
    """Writes the dashboard's events; `pause` is called before each."""

    def __init__(self, database: Database, new_id: Callable[[datetime], ObjectId], pause: Callable[[], None]) -> None:
        self.db = database
        self.new_id = new_id
        self.pause = pause
        self._midnight: datetime | None = None
        self._before: dict[str, int] = {}

    def write_event(self, kind: str, description: str, now: datetime, facts: Mapping[str, Any]) -> None:
        self.pause()
        at = now + EVENT_DELAY
        self.db.business_events.insert_one(documents.event(self.new_id(at), kind, description, at, facts))

    def check_milestones(self, now: datetime) -> None:
        """Write the highest level of each kind that was crossed today, again at every call."""
        midnight = datetime.combine(now.astimezone(UTC).date(), time.min, UTC)
        if self._midnight != midnight:
            self._midnight, self._before = midnight, self._count({"created_at": {"$lt": midnight}})
        for kind, count in self._count({}).items():
            self._crossed(kind, self._before[kind], count, now)

    def _count(self, created: Document) -> dict[str, int]:
        active = self.db.licenses.count_documents({"status": "active"} | created)
        return {"customers": self.db.customers.count_documents(created), "licenses": active}

    def _crossed(self, kind: str, before: int, count: int, now: datetime) -> None:
        crossed = [level for level in LEVELS[kind] if before < level <= count]
        if crossed:
            metadata = {"milestone_type": kind, "milestone_value": crossed[-1]}
            self.write_event("milestone_reached", LEVEL_TEXTS[kind].format(crossed[-1]), now, {"metadata": metadata})
