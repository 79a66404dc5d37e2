"""Delay between the write of a license and its readable event, against the notification of a bare loop.

Measured from the send of the write, which uses write concern majority as the dashboard's driver does by default. A bare
loop often receives the change before the writer receives the acknowledgement, so the delay after that can be negative.
"""

import json
import socket
import statistics
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Self

import bson
from bson import ObjectId
from pymongo.write_concern import WriteConcern

from bench import shop, state
from bench.checkout import ROOT, Checkout, this
from bench.measures import Bench, Row, Sample, median, run_rounds
from bench.server import Server
from bench.subject import ready
from daemon.mongo.collections import event_id
from daemon.mongo.types import Document

STOCK = 1500
"""A small shop, whose states the daemon keeps in memory (daemon/pipeline/state_memory.py)."""
WRITES = 300
PAUSE_SECONDS = 0.02
POLL_SECONDS = 0.0003
HEADER_BYTES = 16
OP_MSG = 2013
ACKNOWLEDGED = WriteConcern("majority")
"""Default of the dashboard's driver. With a weaker one the stream waits for a journal flush, 50 ms on average."""


class EventPoller:
    """Polls for an event over its own socket.

    A poll through the driver takes five times as long, and on two cores that slows down the daemon.
    """

    def __init__(self, server: Server) -> None:
        self._database = server.database
        address = server.client.address
        assert address is not None, "the client is not connected"
        self._socket = socket.create_connection(address, timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def finds(self, query: Document) -> bool:
        """Return whether an event exists (OP_MSG, mongodb.com/docs/manual/reference/mongodb-wire-protocol)."""
        command = {"find": "business_events", "filter": query, "singleBatch": True, "$db": self._database}
        body = b"\0\0\0\0\0" + bson.encode({**command, "projection": {"_id": 1}})
        self._socket.sendall(struct.pack("<4i", HEADER_BYTES + len(body), 1, 0, OP_MSG) + body)
        (length,) = struct.unpack("<i", self._socket.recv(4, socket.MSG_WAITALL))
        answer = self._socket.recv(length - 4, socket.MSG_WAITALL)
        return bool(bson.decode(answer[HEADER_BYTES + 1 :])["cursor"]["firstBatch"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def rows(bench: Bench) -> list[Row]:
    begun = state.bootstrapped(bench.server, STOCK)
    writes = writes_of(bench)
    samples = run_rounds(
        bench,
        {
            "the daemon": lambda: _daemon(bench.server, begun, writes),
            "bare loop": lambda: _bare_loop(bench.server, begun, writes),
        },
    )
    return [_row(name, goal, samples) for name, goal in (("p50", 2.5), ("p99", 3.0))]


def _row(name: str, goal: float, samples: dict[str, list[Sample]]) -> Row:
    own, bare = median(samples["the daemon"], name), median(samples["bare loop"], name)
    found = f"{own / bare:.2f} ({own:.1f} ms against {bare:.1f} ms)"
    kept = samples if name == "p50" else {}
    return Row(
        f"delay from a written license to its readable event, {name}",
        f"at most {goal}",
        found,
        own / bare <= goal,
        kept,
    )


def writes_of(bench: Bench) -> int:
    return max(50, int(WRITES * bench.scale))


def _daemon(server: Server, begun: state.State, writes: int) -> Sample:
    begun.restore(server)
    with following(server) as measure:
        return percentiles([measure(number) for number in range(STOCK, STOCK + writes)])


@contextmanager
def following(
    server: Server, checkout: Checkout | None = None, arguments: tuple[str, ...] = ()
) -> Iterator[Callable[[int], float]]:
    """Start a daemon, by default of this checkout; yield a function that writes a license and returns the delay."""
    with (
        ready(server.uri, *arguments, checkout=checkout, MONGODB_DATABASE=server.database),
        EventPoller(server) as poller,
    ):
        yield lambda number: delay_of_event(server, poller, number, {"_id": event_of(number)})


def event_of(number: int) -> ObjectId:
    """Return the `_id` of the daemon's event of a written license."""
    return event_id(f"license_created:{shop.license_id(number)}")


def alternate(measures: Sequence[Callable[[int], float]], writes: int) -> list[list[float]]:
    """Return the delays of contenders that take turns at every change."""
    delays = [[measure(number) for measure in measures] for number in range(STOCK, STOCK + writes)]
    return [list(listed) for listed in zip(*delays, strict=True)]


def delay_of_event(server: Server, poller: EventPoller, number: int, query: Document) -> float:
    """Write a license; return the seconds until an event is found by `query`."""
    pause(number)
    sent = write(server, number)
    while not poller.finds(query):
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - sent


def _bare_loop(server: Server, begun: state.State, writes: int) -> Sample:
    """Measure the bare loop, which prints the arrival time of each change by the same clock."""
    begun.restore(server)
    command = [str(this().python), "-m", "bench.bare", "listener", server.uri, str(writes)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    sent = {}
    for number in range(STOCK, STOCK + writes):
        pause(number)
        sent[str(shop.license_id(number))] = write(server, number)
    arrived = json.loads(process.communicate(timeout=120)[0])["arrived"]
    return percentiles([at - sent[key] for key, at in arrived])


def write(server: Server, number: int) -> float:
    """Insert one license; return the time of sending."""
    licenses, license = server.db.licenses.with_options(write_concern=ACKNOWLEDGED), shop.license(number)
    sent = time.perf_counter()
    licenses.insert_one(license)
    return sent


def pause(number: int) -> None:
    """Wait a random time, to avoid synchronization with periodic work of the server."""
    time.sleep(PAUSE_SECONDS * (0.5 + Random(number).random()))


def percentiles(seconds: list[float]) -> Sample:
    cuts = statistics.quantiles((1000 * one for one in seconds), n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98], "most": max(seconds) * 1000}
