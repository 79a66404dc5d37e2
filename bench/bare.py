"""Minimal programs for comparison, each run as a process: a loop that reads, a writer that commits, a scan, a listener.

`python -m bench.bare PROGRAM URI ...` prints one JSON object.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bson
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.timestamp import Timestamp
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from bench.server import DATABASE
from daemon.mongo.client import CODEC
from daemon.mongo.collections import MIRROR
from daemon.mongo.types import Database, Document
from daemon.source.filter import stages
from daemon.store.mirror.states import mirror_id
from rules.model import documents
from rules.model.changes import Source

Result = dict[str, Any]

BATCH = 1000
PROGRAMS: dict[str, Callable[..., Result]] = {}


def program(run: Callable[..., Result]) -> Callable[..., Result]:
    PROGRAMS[run.__name__] = run
    return run


@program
def reader(db: Database, seconds: str, increment: str, count: str) -> Result:
    """Read `count` events of the daemon's stream, with its filter, and discard them."""
    start = Timestamp(int(seconds), int(increment) + 1)
    return _measured(lambda: _read(db, start, int(count)))


def _read(db: Database, start: Timestamp, count: int) -> None:
    with db.watch(stages(), start_at_operation_time=start, batch_size=BATCH, max_await_time_ms=1000) as stream:
        while count:
            if stream.try_next() is not None:
                count -= 1


@program
def writer(db: Database, file: str) -> Result:
    """Commit recorded transactions of a daemon, with the same commands prepared in advance."""
    transactions = list(recorded(Path(file)))
    with db.client.start_session() as session:
        return _measured(lambda: _write(db, session, transactions))


def _write(db: Database, session: ClientSession, transactions: list[list[Document]]) -> None:
    majority = WriteConcern("majority")
    for commands in transactions:

        def attempt(session: ClientSession, commands: list[Document] = commands) -> None:
            for command in commands:
                db.command(command, session=session)

        session.with_transaction(attempt, read_concern=ReadConcern("snapshot"), write_concern=majority)


def recorded(file: Path) -> Iterator[list[Document]]:
    """Yield the transactions in a file of `bench.recording`."""
    for transaction in bson.decode_file_iter(file.open("rb"), CODEC):
        yield transaction["commands"]


@program
def scan(db: Database) -> Result:
    """Read customers, licenses and their mirror once by `_id` from one snapshot, with the daemon's projection."""
    with db.client.start_session(snapshot=True) as session:
        return _measured(lambda: _scan(db, session))


def _scan(db: Database, session: ClientSession) -> None:
    for source in (Source.PLANS, Source.CUSTOMERS, Source.LICENSES):
        projection = dict.fromkeys((*documents.TRACKED[source], *documents.CARRIED[source]), 1)
        mirrored = {"_id": {"$gt": mirror_id(source, MinKey()), "$lt": mirror_id(source, MaxKey())}}
        for name, query, fields in ((source.value, {}, projection), (MIRROR, mirrored, None)):
            for _ in db[name].find(query, fields, session=session, batch_size=BATCH).sort("_id", 1):
                pass


@program
def listener(db: Database, count: str) -> Result:
    """Print "ready", then return the arrival times of `count` events (perf_counter, shared by all processes)."""
    arrived: list[tuple[str, float]] = []
    with db.watch(stages(), batch_size=BATCH, max_await_time_ms=1000) as stream:
        stream.try_next()
        print("ready", flush=True)
        while len(arrived) < int(count):
            if (event := stream.try_next()) is not None:
                arrived.append((str(event["documentKey"]["_id"]), time.perf_counter()))
    return {"arrived": arrived}


def _measured(work: Callable[[], object]) -> Result:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def main(name: str, uri: str, *arguments: str) -> None:
    client: MongoClient[Document]
    with MongoClient(uri, tz_aware=True) as client:
        db: Database = client.get_database(DATABASE, codec_options=CODEC)
        print(json.dumps(PROGRAMS[name](db, *arguments)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
