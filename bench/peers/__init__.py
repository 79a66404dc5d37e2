"""Packages of a registry that read MongoDB's changes, each in its own virtual environment.

A peer reads the same backlog and discards it: only reading is measured.
"""

import json
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bson.timestamp import Timestamp

from bench import processes
from bench.server import DATABASE, Server

Sample = dict[str, float]

FOLDER = Path(__file__).parent
COLLECTIONS = ("customers", "licenses")
UNDECLARED = {"mongo-broadcaster": ("fastapi",)}
"""Undeclared dependencies of a package."""

INSTALL_SECONDS = 300
RUN_SECONDS = 300


class PeerFailed(RuntimeError):
    """A peer could not be installed or did not read the backlog; the message holds the reason."""


class Peer(Protocol):
    """Package that reads changes; `lacks` describes what it does not do in comparison with the daemon."""

    package: str
    lacks: str

    def prepare(self, server: Server) -> None:
        """Store the peer's position before the backlog is written."""

    def run(self, server: Server, start: Timestamp, count: int) -> Sample:
        """Read the backlog after `start`; measure from the first read to the last change."""


def install(package: str, folder: Path) -> Path:
    """Install a package into its own environment below `folder`; return the environment's `bin`."""
    home = folder / package
    if not home.exists():
        venv.create(home, with_pip=True)
        requirements = [package, *UNDECLARED.get(package, ())]
        pip = [home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
        if done.returncode:
            raise PeerFailed(f"{package} cannot be installed here: {done.stderr.strip()[-300:]}")
    return home / "bin"


@dataclass(slots=True)
class MqBridge:
    """Rust library with Python bindings: a consumer with a cursor in a file, committed after each batch."""

    bin: Path
    folder: Path
    package: str = "mq-bridge"
    lacks: str = "no state before, no events, no exactly-once: repeats from its last commit after a kill"

    def prepare(self, server: Server) -> None:
        for file in self.folder.glob("*.json"):
            file.unlink()
        reader = self._start(server, 0)
        assert reader.stdout is not None
        reader.stdout.readline()
        deadline = time.perf_counter() + 30
        while reader.poll() is None and time.perf_counter() < deadline:
            for name in COLLECTIONS:
                server.db[name].update_one({}, {"$inc": {"touched": 1}})
            time.sleep(0.2)
        _wait(reader, self.package)

    def run(self, server: Server, start: Timestamp, count: int) -> Sample:
        return _result(self._start(server, count), self.package)

    def _start(self, server: Server, count: int) -> "subprocess.Popen[str]":
        arguments = (server.uri, DATABASE, str(self.folder), str(count), *COLLECTIONS)
        return _start([self.bin / "python", FOLDER / "mq_bridge_reader.py", *arguments])


@dataclass(slots=True)
class Broadcaster:
    """Forwards change streams to web sockets and others, with a lookup of the current document."""

    bin: Path
    folder: Path
    package: str = "mongo-broadcaster"
    lacks: str = "keeps no position at all: changes during downtime are lost; no deletions"

    def prepare(self, server: Server) -> None:
        """Do nothing: it has no position."""

    def run(self, server: Server, start: Timestamp, count: int) -> Sample:
        arguments = (server.uri, DATABASE, str(start.time), str(start.inc), str(count), *COLLECTIONS)
        return _result(_start([self.bin / "python", FOLDER / "broadcaster_reader.py", *arguments]), self.package)


@dataclass(slots=True)
class SingerTap:
    """Singer tap: prints records and, at intervals, its position for another program."""

    bin: Path
    folder: Path
    package: str
    lacks: str
    tokens: dict[str, Any] = field(default_factory=dict)

    def prepare(self, server: Server) -> None:
        for name in COLLECTIONS:
            with server.db[name].watch(max_await_time_ms=1) as stream:
                stream.try_next()
                self.tokens[name] = (stream.resume_token or {}).get("_data")

    def run(self, server: Server, start: Timestamp, count: int) -> Sample:
        out = self.folder / f"{self.package}.out"
        files = {
            "config": self._config(server),
            "catalog": {"streams": [self._stream(name) for name in COLLECTIONS]},
            "state": {"bookmarks": {self._id(name): self._bookmark(name, start) for name in COLLECTIONS}},
        }
        command: list[str | Path] = [self.bin / "tap-mongodb"]
        for name, value in files.items():
            file = self.folder / f"{self.package}.{name}.json"
            file.write_text(json.dumps(value))
            command += [f"--{name}", file]
        with out.open("w") as records:
            process = subprocess.Popen(command, stdout=records, stderr=subprocess.PIPE, text=True)
            found = _measure_until_end(process, out, self.package)
        read = sum(1 for line in out.open() if '"type": "RECORD"' in line or '"type":"RECORD"' in line)
        return {**found, "records": read}

    def _is_oplog_tap(self) -> bool:
        return self.package == "tap-mongodb"

    def _id(self, collection: str) -> str:
        return f"{DATABASE}-{collection}" if self._is_oplog_tap() else collection

    def _config(self, server: Server) -> dict[str, Any]:
        if self._is_oplog_tap():
            member = server.mongo.members[0]
            return {"host": "127.0.0.1", "port": member.port, "database": DATABASE, "user": None, "password": None}
        return {"mongodb_connection_string": server.uri, "database": DATABASE, "filter_collections": [*COLLECTIONS]}

    def _stream(self, collection: str) -> dict[str, Any]:
        metadata = {
            "selected": True,
            "replication-method": "LOG_BASED",
            "database-name": DATABASE,
            "table-key-properties": ["_id"],
        }
        key = {} if self._is_oplog_tap() else {"replication_key": "replication_key", "replication_method": "LOG_BASED"}
        return {
            "tap_stream_id": self._id(collection),
            "stream": collection,
            "table_name": collection,
            "schema": _SCHEMA,
            "metadata": [{"breadcrumb": [], "metadata": metadata}],
            **key,
        }

    def _bookmark(self, collection: str, start: Timestamp) -> dict[str, Any]:
        if self._is_oplog_tap():
            at = {"oplog_ts_time": start.time, "oplog_ts_inc": start.inc + 1}
            done = {"version": 1, "initial_full_table_complete": True, "last_replication_method": "LOG_BASED"}
            return {**at, **done}
        return {"replication_key": "replication_key", "replication_key_value": self.tokens[collection]}


_SCHEMA = {
    "type": "object",
    "properties": {
        "replication_key": {"type": "string"},
        "object_id": {"type": ["string", "null"]},
        "document": {"type": ["object", "null"], "additionalProperties": True},
        "operation_type": {"type": ["string", "null"]},
        "cluster_time": {"type": ["string", "null"], "format": "date-time"},
        "namespace": {"type": ["object", "null"], "additionalProperties": True},
    },
}


def peers(folder: Path) -> list[Peer | PeerFailed]:
    """Return the peers that can be installed, and a PeerFailed for each of the others."""
    found: list[Peer | PeerFailed] = []
    for package, make in _MAKERS.items():
        try:
            cursors = folder / f"{package}-files"
            cursors.mkdir(exist_ok=True)
            found.append(make(install(package, folder), cursors))
        except (PeerFailed, subprocess.SubprocessError, OSError) as problem:
            found.append(PeerFailed(f"{package}: {problem}"))
    return found


def _tap(bin: Path, folder: Path) -> Peer:
    lacks = "reads each collection's oplog in turn; sees the current document, so changes of plan are not detected"
    return SingerTap(bin, folder, "tap-mongodb", lacks)


def _meltano(bin: Path, folder: Path) -> Peer:
    lacks = (
        "one collection after the other; the current document of each update; repeats from its last state after a kill"
    )
    return SingerTap(bin, folder, "meltanolabs-tap-mongodb", lacks)


_MAKERS = {
    "tap-mongodb": _tap,
    "meltanolabs-tap-mongodb": _meltano,
    "mq-bridge": MqBridge,
    "mongo-broadcaster": Broadcaster,
}


def _start(command: Sequence[str | Path]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _result(process: "subprocess.Popen[str]", package: str) -> Sample:
    sample: Sample = json.loads(_wait(process, package).splitlines()[-1])
    return sample


def _wait(process: "subprocess.Popen[str]", package: str) -> str:
    try:
        out, problem = process.communicate(timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, problem = process.communicate()
        problem = f"not finished after {RUN_SECONDS} seconds {problem[-300:]}"
    if process.returncode:
        raise PeerFailed(f"{package}: {problem.strip()[-300:]}")
    return out


def _measure_until_end(process: "subprocess.Popen[str]", out: Path, package: str) -> Sample:
    """Measure from the first line of output, after the set-up, to the end; CPU time as of the last poll."""
    began, cpu = 0.0, 0.0
    while process.poll() is None:
        if not began and out.stat().st_size:
            began = time.perf_counter()
        try:
            cpu = processes.cpu_seconds(process.pid)
        except (OSError, IndexError):
            break
        time.sleep(0.02)
    _wait(process, package)
    return {"seconds": time.perf_counter() - (began or time.perf_counter()), "cpu_seconds": cpu}


if sys.platform != "linux":
    raise ImportError("the bench reads /proc: it runs on Linux only")
