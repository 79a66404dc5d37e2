"""How long after a licence is written its event can be read, against a bare loop's notification.

Counted from the sending of the write, which a majority acknowledges, as the dashboard's driver asks by itself: a bare
loop often hears of it before the writer does, so counted from the acknowledgement it would need less than no time.
"""

import json
import socket
import statistics
import struct
import subprocess
import sys
import time
from random import Random
from typing import Self

import bson
from bson import ObjectId
from pymongo.write_concern import WriteConcern

from bench import shop, state
from bench.measures import Bench, Row, Told, median, rounds
from bench.server import DATABASE, Server
from bench.subject import ROOT, ready
from daemon.mongo.collections import event_id

STOCK = 4000
WRITES = 300
PAUSE_SECONDS = 0.02
LOOK_SECONDS = 0.0003
HEADER_BYTES = 16
OP_MSG = 2013
ACKNOWLEDGED = WriteConcern("majority")
"""As the dashboard's driver does. With less the stream waits for the journal's next turn, 50 ms on average."""


class Eye:
    """Looks for an event, over a socket of its own.

    The driver takes five times as long for a look, and on two cores what looks takes from what is looked at.
    """

    def __init__(self, server: Server) -> None:
        address = server.client.address
        assert address is not None, "the server is known by now"
        self._socket = socket.create_connection(address, timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def sees(self, event: ObjectId) -> bool:
        """Whether the answer to an OP_MSG (mongodb.com/docs/manual/reference/mongodb-wire-protocol) has a document."""
        command = {"find": "business_events", "filter": {"_id": event}, "singleBatch": True, "$db": DATABASE}
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
    begun = state.taken_over(bench.server, STOCK)
    writes = max(50, int(WRITES * bench.scale))
    samples = rounds(
        bench,
        {
            "the daemon": lambda: _daemon(bench.server, begun, writes),
            "bare loop": lambda: _loop(bench.server, begun, writes),
        },
    )
    return [_row(name, goal, samples) for name, goal in (("p50", 2.5), ("p99", 3.0))]


def _row(name: str, goal: float, samples: dict[str, list[Told]]) -> Row:
    ours, bare = median(samples["the daemon"], name), median(samples["bare loop"], name)
    found = f"{ours / bare:.2f} ({ours:.1f} ms against {bare:.1f} ms)"
    kept = samples if name == "p50" else {}
    return Row(f"a licence written to its event readable, {name}", f"at most {goal}", found, ours / bare <= goal, kept)


def _daemon(server: Server, begun: state.State, writes: int) -> Told:
    begun.restore(server)
    with ready(server.uri), Eye(server) as eye:
        return _percentiles([_until_told(server, eye, number) for number in range(STOCK, STOCK + writes)])


def _until_told(server: Server, eye: Eye, number: int) -> float:
    _pause(number)
    wanted = event_id(f"license_created:{shop.license_id(number)}")
    sent = _write(server, number)
    while not eye.sees(wanted):
        time.sleep(LOOK_SECONDS)
    return time.perf_counter() - sent


def _loop(server: Server, begun: state.State, writes: int) -> Told:
    """The loop tells when each change arrived, by the same clock."""
    begun.restore(server)
    command = [sys.executable, "-m", "bench.bare", "listener", server.uri, str(writes)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    sent = {}
    for number in range(STOCK, STOCK + writes):
        _pause(number)
        sent[str(shop.license_id(number))] = _write(server, number)
    arrived = json.loads(process.communicate(timeout=120)[0])["arrived"]
    return _percentiles([at - sent[key] for key, at in arrived])


def _write(server: Server, number: int) -> float:
    """One licence; when it was sent."""
    licenses, license = server.db.licenses.with_options(write_concern=ACKNOWLEDGED), shop.license(number)
    sent = time.perf_counter()
    licenses.insert_one(license)
    return sent


def _pause(number: int) -> None:
    """Not in step with anything the server does at intervals."""
    time.sleep(PAUSE_SECONDS * (0.5 + Random(number).random()))


def _percentiles(seconds: list[float]) -> Told:
    cuts = statistics.quantiles((1000 * one for one in seconds), n=100)
    return {"p50": cuts[49], "p99": cuts[98], "most": max(seconds) * 1000}
