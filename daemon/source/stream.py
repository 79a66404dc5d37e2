"""The change stream of the database: opened at a checkpoint, read until something ends it.

Speaks the driver, decides nothing: what is heard goes out as `Heard`, what breaks comes out as our errors.
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
from rules.model.changes import Change, Discontinuity, Undecodable
from rules.settings.custom_rules import CustomRule

AT_ONCE = 250
"""Events asked for at once: until they are read they lie beside all else as whole documents, several MB a thousand."""


class StreamPosition(NamedTuple):
    """Where to go on: behind a resume token, or (after a reconciliation) behind a cluster time."""

    token: Mapping[str, Any] | None
    cluster_time: Timestamp


class StreamItem(NamedTuple):
    """One fact and the position behind it; `what` None means: nothing relevant up to here."""

    item: Change | Discontinuity | Undecodable | None
    position: StreamPosition


class Stream(AbstractContextManager["Stream"]):
    """An open change stream.

    Opening and reading raise StreamBroken, Unavailable, LoginRefused or ConfigurationError.
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
        self.judge = CustomRuleMatcher(database, rules, decoder)
        self.stages = stages(rules)
        self.start = start
        self._stream = self._open(database, start, int(await_seconds * 1000))

    def _open(self, database: Database, start: StreamPosition, await_ms: int) -> DatabaseChangeStream[Document]:
        where: dict[str, Any] = {"start_at_operation_time": following(start.cluster_time)}
        if start.token is not None:
            where = {"start_after": start.token}
        try:
            return database.watch(self.stages, max_await_time_ms=await_ms, batch_size=AT_ONCE, **where)
        except PyMongoError as error:
            raise stream_failure(error, opening=True) from error

    def read(self) -> Iterator[StreamItem]:
        """Everything that comes, and after each quiet wait the position reached; ends only by an error."""
        try:
            while True:
                event = self._stream.try_next()
                if event is not None:
                    token = event["_id"]
                    read = self.judge.change if self.judge.watches(event) else self.decoder.change
                    yield StreamItem(read(event), StreamPosition(token, event["clusterTime"]))
                elif not self._stream.alive:
                    raise Unavailable("the server closed the change stream")
                else:
                    yield StreamItem(None, self._reached())
        except PyMongoError as error:
            raise stream_failure(error) from error

    def _reached(self) -> StreamPosition:
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
        except (PyMongoError, AttributeError):  # the latter is PyMongo's own, while the reader's thread resumes
            return


def doubt(token: object, cluster_time: object, newest: Timestamp) -> tuple[str, str] | None:
    """Why a stored position cannot be trusted, as cause and sentence; None where nothing speaks against it.

    The server takes a token of the future in silence and skips all until then, so it is told by its own time.
    """
    if not isinstance(cluster_time, Timestamp) or (token is not None and token_time(token) != cluster_time):
        return "bad_token", "the stored resume token does not stand at the cluster time stored beside it"
    if cluster_time > newest:
        return "future_token", f"the stored position {cluster_time.as_datetime()} is one the server has yet to see"
    return None
