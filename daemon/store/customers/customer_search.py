"""Search for customers by a part of their name or company."""

from collections.abc import Iterator
from datetime import timedelta

from pymongo.client_session import ClientSession

from daemon import clock
from daemon.errors import ChatelloError
from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import MIRROR
from daemon.mongo.types import Database, Document
from daemon.store.forgotten import ErasureList
from daemon.store.mirror.states import ids_of
from rules import name_search
from rules.model.changes import DocId, Source
from rules.settings.catalog import MARKS
from rules.text import MAX_NAME, one_line

MAX_FOUND = 1000
TIME_LIMIT = timedelta(seconds=2)
NAMES = ("name", "company")


class TooManyFound(ChatelloError):
    """A search finds more than `MAX_FOUND` customers, or is not finished in time."""


class CustomerSearch:
    """Finds customers; never a forgotten one, even if the name was written again."""

    def __init__(self, database: Database, forgotten: ErasureList, time_limit: timedelta = TIME_LIMIT) -> None:
        self.mirror = database[MIRROR]
        self.forgotten = forgotten
        self.time_limit = time_limit

    def find(self, wanted: str, session: ClientSession) -> list[DocId]:
        """Return the customers whose name or company contains `wanted`. Raises TooManyFound."""
        text, found = name_search.folded(one_line(wanted, MAX_NAME)), []
        end = clock.monotonic() + self.time_limit.total_seconds()
        for candidate in self._candidates(text, session):
            if clock.monotonic() > end:
                raise TooManyFound("the search takes too long")
            if self._matches(candidate, text):
                found.append(candidate["id"])
            if len(found) > MAX_FOUND:
                raise TooManyFound(f"more than {MAX_FOUND} customers")
        return found

    def _candidates(self, text: str, session: ClientSession) -> Iterator[Document]:
        pattern = {"$regex": name_search.candidates_pattern(text), "$options": "i"}
        stages: list[Document] = [
            {"$match": {"_id": ids_of(Source.CUSTOMERS)}},
            {"$match": {"$or": [{f"fields.{name}": pattern} for name in NAMES]}},
            {"$project": {"_id": 0, "id": "$_id.id", **{name: f"$fields.{name}" for name in NAMES}}},
        ]
        with translated():
            yield from self.mirror.aggregate(stages, session=session, batchSize=BATCH_SIZE)

    def _matches(self, candidate: Document, text: str) -> bool:
        names = [one_line(candidate.get(name), MAX_NAME) for name in NAMES]
        is_found = any(text in name_search.folded(name) for name in names if name not in MARKS)
        return is_found and not self.forgotten.contains(candidate["id"])
