"""The change stream of the database: opened at a checkpoint, read until an error ends it.

Yields `StreamItem`s and translates driver errors; all decisions are made elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, NamedTuple

from bson.timestamp import Timestamp
from pymongo.change_stream import DatabaseChangeStream
from pymongo.errors import PyMongoError

from daemon.errors import Unavailable
from daemon.mongo.client import stream_failure
from daemon.mongo.cluster_time import following, token_time
from daemon.mongo.types import Database, Document
from daemon.source.custom_rules import CustomRuleMatcher
from daemon.source.decode import Decoder
from daemon.source.filter import stages
from daemon.source.references import with_existing_ids
from rules.model.changes import Change, Discontinuity, Undecodable
from rules.settings.custom_rules import CustomRule

BATCH_SIZE = 250
"""Change events per cursor batch: until they are read, they take several MB of memory per thousand."""


class StreamPosition(NamedTuple):
    """Where to resume: after a resume token or, following a reconciliation, after a cluster time."""

    token: Mapping[str, Any] | None
    cluster_time: Timestamp


class StreamItem(NamedTuple):
    """One received item and the position after it; `item` None: nothing relevant happened up to there."""

    item: Change | Discontinuity | Undecodable | None
    position: StreamPosition


class Stream(AbstractContextManager["Stream"]):
    """An open change stream.

    Opening and reading raise StreamBroken, Unavailable, AccessDenied or ConfigurationError.
    """

    def __init__(
        self,
        database: Database,
        start: StreamPosition,
        decoder: Decoder,
        await_seconds: float,
        rules: Sequence[CustomRule] = (),
    ) -> None:
        self.decoder = decoder
        self.matcher = CustomRuleMatcher(database, rules, decoder)
        self.stages = stages(rules)
        self.start = start
        self._stream = self._open(database, start, int(await_seconds * 1000))

    def _open(self, database: Database, start: StreamPosition, await_ms: int) -> DatabaseChangeStream[Document]:
        where: dict[str, Any] = {"start_at_operation_time": following(start.cluster_time)}
        if start.token is not None:
            where = {"start_after": start.token}
        try:
            return database.watch(self.stages, max_await_time_ms=await_ms, batch_size=BATCH_SIZE, **where)
        except PyMongoError as error:
            raise stream_failure(error, opening=True) from error

    def read(self) -> Iterator[StreamItem]:
        """Yield every item, and the current position after each wait without one; ends only by an error."""
        try:
            while True:
                event = self._stream.try_next()
                if event is not None:
                    token = event["_id"]
                    yield StreamItem(self._item(event), StreamPosition(token, event["clusterTime"]))
                elif not self._stream.alive:
                    raise Unavailable("the server closed the change stream")
                else:
                    yield StreamItem(None, self._current_position())
        except PyMongoError as error:
            raise stream_failure(error) from error

    def _item(self, event: Document) -> Change | Discontinuity | Undecodable | None:
        if self.matcher.watches(event):
            return self.matcher.change(event)
        item = self.decoder.change(event)
        return with_existing_ids(self.matcher.database, item) if isinstance(item, Change) else item

    def _current_position(self) -> StreamPosition:
        token = self._stream.resume_token
        time = token_time(token)
        return self.start if token is None or time is None else StreamPosition(token, time)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._stream.close()
        except (PyMongoError, AttributeError):  # AttributeError: PyMongo, while the reader thread resumes
            return


def position_problem(token: object, cluster_time: object, newest: Timestamp) -> tuple[str, str] | None:
    """Return why a stored position is invalid, as cause and message; None if it is valid.

    The server accepts a token of the future and silently skips everything before it, so the token's time is compared.
    """
    if not isinstance(cluster_time, Timestamp) or (token is not None and token_time(token) != cluster_time):
        return "bad_token", "the stored resume token does not match the stored cluster time"
    if cluster_time > newest:
        return (
            "future_token",
            f"the stored position {cluster_time.as_datetime()} is later than the server's newest write",
        )
    return None
