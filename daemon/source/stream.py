"""The change stream of the database: opened at a checkpoint, read until something ends it.

Speaks the driver, decides nothing: what is heard goes out as `Heard`, what breaks comes out as our errors.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, NamedTuple

from bson.timestamp import Timestamp
from pymongo.change_stream import DatabaseChangeStream
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from daemon.connection import broken_token, translate
from daemon.decode import Decoder, Discontinuity, Undecodable, token_time
from daemon.errors import Unavailable
from daemon.source.pipeline import stages
from rules.model import Change

Document = dict[str, Any]


class Position(NamedTuple):
    """Where to go on: behind a resume token, or (after a reconciliation) behind a cluster time."""

    token: Mapping[str, Any] | None
    cluster_time: Timestamp


class Heard(NamedTuple):
    """One fact and the position behind it; `what` None means: nothing relevant up to here."""

    what: Change | Discontinuity | Undecodable | None
    position: Position


class Stream(AbstractContextManager["Stream"]):
    """An open change stream.

    Opening and reading raise StreamBroken, Unavailable, LoginRefused or ConfigurationError.
    """

    def __init__(self, database: Database[Document], start: Position, decoder: Decoder, await_seconds: float) -> None:
        self.decoder = decoder
        self.start = start
        self._stream = self._open(database, start, int(await_seconds * 1000))

    def _open(self, database: Database[Document], start: Position, await_ms: int) -> DatabaseChangeStream[Document]:
        where: dict[str, Any] = {"start_at_operation_time": following(start.cluster_time)}
        if start.token is not None:
            where = {"start_after": start.token}
        try:
            return database.watch(stages(), max_await_time_ms=await_ms, batch_size=1000, **where)
        except OperationFailure as error:
            raise (broken_token(error) or translate(error)) from error
        except PyMongoError as error:
            raise translate(error) from error

    def read(self) -> Iterator[Heard]:
        """Everything that comes, and after each quiet wait the position reached; ends only by an error."""
        try:
            while True:
                event = self._stream.try_next()
                if event is not None:
                    token = event["_id"]
                    yield Heard(self.decoder.change(event), Position(token, event["clusterTime"]))
                elif not self._stream.alive:
                    raise Unavailable("the server closed the change stream")
                else:
                    yield Heard(None, self._reached())
        except PyMongoError as error:
            raise translate(error) from error

    def _reached(self) -> Position:
        token = self._stream.resume_token
        time = token_time(token)
        return self.start if token is None or time is None else Position(token, time)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._stream.close()
        except PyMongoError:
            return


def following(time: Timestamp) -> Timestamp:
    """The cluster time right after `time`: startAtOperationTime is inclusive."""
    return Timestamp(time.time, time.inc + 1)
