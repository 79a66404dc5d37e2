"""The measured daemon: the real process, `python -m daemon run`, as started by systemd.

It is observed from outside: its log (with the timestamps of the lines), /proc and the server.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from bench import processes
from bench.checkout import Checkout, this
from bench.server import DATABASE
from daemon.demo.embedded_mongo import die_with_parent, free_port

Line = dict[str, Any]

POLL_SECONDS = 0.02
MAX_WAIT_SECONDS = 60.0
SETTLED_SECONDS = 4.0
"""Longer than the scheduler takes for its first tick and today's row."""


class Subject:
    """Daemon process with default settings except for database, port and log format; by default of this checkout."""

    def __init__(self, uri: str, *arguments: str, checkout: Checkout | None = None, **environment: str) -> None:
        measured = checkout or this()
        self.port = free_port()
        self._log = tempfile.NamedTemporaryFile(prefix="chatello-bench-", suffix=".log")  # noqa: SIM115 - closed in stop
        self._read = 0
        self.lines: list[Line] = []
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("CHATELLO_", "MONGODB_"))}
        self.process = subprocess.Popen(
            [measured.python, "-m", "daemon", "run", *arguments],
            cwd=measured.root,
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
        """Wait until the resident memory is constant, after the jobs of the start, and return it."""
        held, since, began = self.resident_megabytes(), time.perf_counter(), time.perf_counter()
        while time.perf_counter() - since < SETTLED_SECONDS and time.perf_counter() - began < MAX_WAIT_SECONDS:
            time.sleep(POLL_SECONDS)
            if (now := self.resident_megabytes()) != held:
                held, since = now, time.perf_counter()
        return held

    def reset_peak(self) -> None:
        processes.reset_peak(self.pid)

    def read_log(self) -> list[Line]:
        """Return the log lines since the last call."""
        with Path(self._log.name).open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text.rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        fresh = [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]
        self.lines += fresh
        return fresh

    def wait_for(self, event: str, seconds: float = 120) -> Line:
        """Wait for the first line of this event; raise TimeoutError."""
        for line in self.lines:
            if line["event"] == event:
                return line
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            for line in self.read_log():
                if line["event"] == event:
                    return line
            self._check()
            time.sleep(POLL_SECONDS)
        raise TimeoutError(f"no line {event!r} within {seconds:.0f} seconds: {self.lines[-3:]}")

    def wait_for_changes(self, count: int, seconds: float = 240) -> Line:
        """Wait for the commit that brings the number of committed changes to `count`; return its line."""
        deadline = time.perf_counter() + seconds
        fresh, done = self.lines, 0
        while time.perf_counter() < deadline:
            for line in fresh:
                done += line["changes"] if line["event"] == "batch.committed" else 0
                if done >= count:
                    return line
            self._check()
            time.sleep(POLL_SECONDS)
            fresh = self.read_log()
        raise TimeoutError(f"{done} of {count} changes within {seconds:.0f} seconds: {self.lines[-3:]}")

    def _check(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon ended with {self.process.returncode}: {self.lines[-3:]}")

    def get(self, path: str) -> bytes:
        """Return the body of an HTTP response."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            body: bytes = answer.read()
        return body

    def stop(self) -> None:
        """Send SIGTERM and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.read_log()
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def timestamp_of(line: Line) -> float:
    """Return the Unix time of a log line."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()


@contextmanager
def ready(uri: str, *arguments: str, checkout: Checkout | None = None, **environment: str) -> Iterator[Subject]:
    """Start a daemon and wait until it is ready."""
    with Subject(uri, *arguments, checkout=checkout, **environment) as subject:
        subject.wait_for("daemon.ready")
        yield subject
