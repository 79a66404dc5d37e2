"""Cluster times: conversion, the newest one, neighbors, and the one inside a resume token."""

import re
from collections.abc import Mapping
from datetime import datetime

from bson.timestamp import Timestamp

from daemon.mongo.client import translated
from daemon.mongo.types import Database

_TOKEN = re.compile(r"82([0-9a-fA-F]{8})([0-9a-fA-F]{8})[0-9a-fA-F]*")


def cluster_datetime(time: Timestamp) -> datetime:
    """Return a cluster time as an instant, in whole seconds."""
    return time.as_datetime()


def token_time(token: object) -> Timestamp | None:
    """Return the cluster time of a resume token, read from its KeyString: 0x82, seconds, increment.

    This is the server's format (src/mongo/db/pipeline/resume_token.h); None for a token in any other.
    """
    data = token.get("_data") if isinstance(token, Mapping) else None
    found = _TOKEN.fullmatch(data) if isinstance(data, str) else None
    return Timestamp(int(found[1], 16), int(found[2], 16)) if found else None


def newest(database: Database) -> Timestamp:
    """Return the cluster time of the newest write that the primary knows."""
    with translated():
        time: Timestamp = database.command("ping")["operationTime"]
    return time


def following(time: Timestamp) -> Timestamp:
    """Return the next cluster time: startAtOperationTime is inclusive."""
    return Timestamp(time.time, time.inc + 1)


def preceding(time: Timestamp) -> Timestamp:
    """Return the previous cluster time: a stream resumed after it repeats the changes of `time`."""
    return Timestamp(time.time, time.inc - 1) if time.inc else Timestamp(time.time - 1, 0xFFFFFFFE)
