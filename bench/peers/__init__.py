"""What a registry offers for reading MongoDB's changes, each in a virtual environment of its own.

A peer reads the same waiting backlog and gives it to nobody: what it would have to do with it is not counted.
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

Told = dict[str, float]

HERE = Path(__file__).parent
COLLECTIONS = ("customers", "licenses")
UNDECLARED = {"mongo-broadcaster": ("fastapi",)}
"""What a package imports and does not ask for."""

INSTALL_SECONDS = 300
RUN_SECONDS = 300


class PeerFailed(RuntimeError):
    """A peer could not be installed, or did not read the backlog; the text says why."""


class Peer(Protocol):
    """One of them. `lacks` says what it does not do that the daemon does."""

    package: str
    lacks: str

    def prepare(self, server: Server) -> None:
        """Take its position, before the backlog is written."""

    def run(self, server: Server, start: Timestamp, count: int) -> Told:
        """Read the backlog behind `start`; the time from the first look at it to the last change."""


def install(package: str, folder: Path) -> Path:
    """The package in an environment of its own below `folder`; the environment's `bin`."""
    home = folder / package
    if not home.exists():
        venv.create(home, with_pip=True)
        wanted = [package, *UNDECLARED.get(package, ())]
        pip = [home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
        if done.returncode:
            raise PeerFailed(f"{package} cannot be installed here: {done.stderr.strip()[-300:]}")
    return home / "bin"


@dataclass(slots=True)
class MqBridge:
    """Rust with bindings for Python: its consumer with a cursor in a file, committed after each batch."""

    bin: Path
    folder: Path
    package: str = "mq-bridge"
    lacks: str = "no state before, no events, no exactly-once: after a kill it repeats from its last commit"

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
        _ended(reader, self.package)

    def run(self, server: Server, start: Timestamp, count: int) -> Told:
        return _told(self._start(server, count), self.package)

    def _start(self, server: Server, count: int) -> "subprocess.Popen[str]":
        arguments = (server.uri, DATABASE, str(self.folder), str(count), *COLLECTIONS)
        return _start([self.bin / "python", HERE / "mq_bridge_reader.py", *arguments])


@dataclass(slots=True)
class Broadcaster:
    """Change streams to web sockets and the like, with the current document looked up."""

    bin: Path
    folder: Path
    package: str = "mongo-broadcaster"
    lacks: str = "keeps no position at all: what happens while it is down is lost; no deletions"

    def prepare(self, server: Server) -> None:
        """It has no position to take."""

    def run(self, server: Server, start: Timestamp, count: int) -> Told:
        arguments = (server.uri, DATABASE, str(start.time), str(start.inc), str(count), *COLLECTIONS)
        return _told(_start([self.bin / "python", HERE / "broadcaster_reader.py", *arguments]), self.package)


@dataclass(slots=True)
class SingerTap:
    """A Singer tap: prints records, and its position now and then, for another program to load."""

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

    def run(self, server: Server, start: Timestamp, count: int) -> Told:
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
        with out.open("w") as told:
            process = subprocess.Popen(command, stdout=told, stderr=subprocess.PIPE, text=True)
            found = _until_end(process, out, self.package)
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
    """All that can be installed, and for the others why not."""
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
    lacks = "reads each collection's oplog in turn; sees the current document, so a change of plan is not told as one"
    return SingerTap(bin, folder, "tap-mongodb", lacks)


def _meltano(bin: Path, folder: Path) -> Peer:
    lacks = "one collection after the other; the current document of each update; a kill repeats from its last state"
    return SingerTap(bin, folder, "meltanolabs-tap-mongodb", lacks)


_MAKERS = {
    "tap-mongodb": _tap,
    "meltanolabs-tap-mongodb": _meltano,
    "mq-bridge": MqBridge,
    "mongo-broadcaster": Broadcaster,
}


def _start(command: Sequence[str | Path]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _told(process: "subprocess.Popen[str]", package: str) -> Told:
    told: Told = json.loads(_ended(process, package).splitlines()[-1])
    return told


def _ended(process: "subprocess.Popen[str]", package: str) -> str:
    try:
        out, problem = process.communicate(timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, problem = process.communicate()
        problem = f"not done after {RUN_SECONDS} seconds {problem[-300:]}"
    if process.returncode:
        raise PeerFailed(f"{package}: {problem.strip()[-300:]}")
    return out


def _until_end(process: "subprocess.Popen[str]", out: Path, package: str) -> Told:
    """From its first line, when it is set up, to its end; its CPU time as last seen."""
    began, cpu = 0.0, 0.0
    while process.poll() is None:
        if not began and out.stat().st_size:
            began = time.perf_counter()
        try:
            cpu = processes.cpu_seconds(process.pid)
        except (OSError, IndexError):
            break
        time.sleep(0.02)
    _ended(process, package)
    return {"seconds": time.perf_counter() - (began or time.perf_counter()), "cpu_seconds": cpu}


if sys.platform != "linux":
    raise ImportError("the bench reads /proc: it runs on Linux only")
