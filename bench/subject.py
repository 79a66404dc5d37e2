"""The daemon under test: the real process, `python -m daemon run`, as systemd would start it.

It is watched from outside: by its own log (the times are its lines' own), by the kernel and by the server.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from bench import processes
from bench.server import DATABASE
from daemon.demo.embedded_mongo import die_with_parent, free_port

Line = dict[str, Any]

ROOT = Path(__file__).parent.parent
LOOK_SECONDS = 0.02
LONGEST_SECONDS = 60.0
SETTLED_SECONDS = 4.0
"""Longer than the bell takes to ring for the first time, and to write today's row."""


class Subject:
    """One daemon process. All settings are the defaults, but for where the database is and the port."""

    def __init__(self, uri: str, **environment: str) -> None:
        self.port = free_port()
        self._log = tempfile.NamedTemporaryFile(prefix="chatello-bench-", suffix=".log")  # noqa: SIM115 - closed in stop
        self._read = 0
        self.lines: list[Line] = []
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("CHATELLO_", "MONGODB_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "daemon", "run"],
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(os.getpid()),
            env={
                **kept,
                "MONGODB_URI": uri,
                "MONGODB_DATABASE": DATABASE,
                "CHATELLO_HTTP__PORT": str(self.port),
                "CHATELLO_LOGS__FORMAT": "json",
                **environment,
            },
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_seconds(self) -> float:
        return processes.cpu_seconds(self.pid)

    def resident_megabytes(self) -> float:
        return processes.resident_megabytes(self.pid)

    def peak_megabytes(self) -> float:
        return processes.peak_megabytes(self.pid)

    def settled_megabytes(self) -> float:
        """The memory it holds once that stands still: what it does first, a second after its start, is done."""
        held, since, began = self.resident_megabytes(), time.perf_counter(), time.perf_counter()
        while time.perf_counter() - since < SETTLED_SECONDS and time.perf_counter() - began < LONGEST_SECONDS:
            time.sleep(LOOK_SECONDS)
            if (now := self.resident_megabytes()) != held:
                held, since = now, time.perf_counter()
        return held

    def forget_peak(self) -> None:
        processes.forget_peak(self.pid)

    def look(self) -> list[Line]:
        """The log lines that came since the last look."""
        with Path(self._log.name).open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text.rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        fresh = [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]
        self.lines += fresh
        return fresh

    def wait_for(self, event: str, seconds: float = 120) -> Line:
        """The first line of this event, as soon as it is there; raises TimeoutError."""
        for line in self.lines:
            if line["event"] == event:
                return line
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            for line in self.look():
                if line["event"] == event:
                    return line
            self._check()
            time.sleep(LOOK_SECONDS)
        raise TimeoutError(f"no line {event!r} within {seconds:.0f} seconds: {self.lines[-3:]}")

    def wait_for_changes(self, count: int, seconds: float = 240) -> Line:
        """The line of the commit that brought the changes committed to `count`."""
        deadline = time.perf_counter() + seconds
        fresh, done = self.lines, 0
        while time.perf_counter() < deadline:
            for line in fresh:
                done += line["changes"] if line["event"] == "batch.committed" else 0
                if done >= count:
                    return line
            self._check()
            time.sleep(LOOK_SECONDS)
            fresh = self.look()
        raise TimeoutError(f"{done} of {count} changes within {seconds:.0f} seconds: {self.lines[-3:]}")

    def _check(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon ended with {self.process.returncode}: {self.lines[-3:]}")

    def get(self, path: str) -> bytes:
        """What its HTTP server answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            body: bytes = answer.read()
        return body

    def stop(self) -> None:
        """Ask it to end, and see it end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.look()
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def instant(line: Line) -> float:
    """When a line was written, in seconds."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()


@contextmanager
def ready(uri: str, **environment: str) -> Iterator[Subject]:
    """A daemon that follows the stream."""
    with Subject(uri, **environment) as subject:
        subject.wait_for("daemon.ready")
        yield subject
