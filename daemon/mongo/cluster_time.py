"""TODO: daemon/mongo/cluster_time.py."""

import re
from collections.abc import Mapping
from datetime import datetime

from bson.timestamp import Timestamp

from daemon.mongo.client import translated
from daemon.mongo.types import Database

_TOKEN = re.compile(r"82([0-9a-fA-F]{8})([0-9a-fA-F]{8})[0-9a-fA-F]*")


def cluster_datetime(time: Timestamp) -> datetime:
    """A cluster time as an instant, in whole seconds."""
    return time.as_datetime()


def token_time(token: object) -> Timestamp | None:
    """The cluster time a resume token stands at, read from its KeyString: 0x82, seconds, increment.

    The server writes every token so (src/mongo/db/pipeline/resume_token.h); None for one it did not.
    """
    data = token.get("_data") if isinstance(token, Mapping) else None
    found = _TOKEN.fullmatch(data) if isinstance(data, str) else None
    return Timestamp(int(found[1], 16), int(found[2], 16)) if found else None


def newest(database: Database) -> Timestamp:
    """The cluster time of the newest write the server we write to knows."""
    with translated():
        time: Timestamp = database.command("ping")["operationTime"]
    return time


def following(time: Timestamp) -> Timestamp:
    """The cluster time right after `time`: startAtOperationTime is inclusive."""
    return Timestamp(time.time, time.inc + 1)


def preceding(time: Timestamp) -> Timestamp:
    """The cluster time right before `time`: from it on the stream brings the changes of `time` itself once more."""
    return Timestamp(time.time, time.inc - 1) if time.inc else Timestamp(time.time - 1, 0xFFFFFFFE)
