"""Notifications to systemd: READY when ready, WATCHDOG while all components make progress, STATUS in one line."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon import clock
from daemon.demo.embedded_mongo import wait_for
from daemon.runtime.health import STALLED_AFTER, Health, Instant
from daemon.runtime.systemd import SystemdNotifier, status

NOON = 1_764_072_000
"""2025-11-25 12:00 UTC."""


@pytest.fixture
def received(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every line that systemd would have received so far."""
    lines: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def listen() -> None:
            while (said := server.recv(65_536)) != b"end":
                lines.extend(said.decode().splitlines())

        listener = threading.Thread(target=listen)
        listener.start()
        yield lines
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", os.environ["NOTIFY_SOCKET"])
        listener.join(10)


@contextmanager
def running(herald: SystemdNotifier) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=herald.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def test_it_is_ready_when_told_so_and_until_then_systemd_waits_longer(received: list[str]) -> None:
    progress, stream, doors = Health(), threading.Event(), threading.Event()
    hangup, reloaded = threading.Event(), threading.Event()
    progress.set_role("reconciling", clock.monotonic(), "first_start")
    hangup.set()
    doors.set()
    with running(SystemdNotifier(progress, (stream, doors), hangup, reloaded.set)):
        wait_for(lambda: "EXTEND_TIMEOUT_USEC=90000000" in received, "more time to be asked for")
        assert "READY=1" not in received and "WATCHDOG=1" not in received
        assert "STATUS=reconciling: first_start" in received
        progress.set_role("leader", clock.monotonic())
        stream.set()
        wait_for(lambda: received.count("READY=1") == 2, "ready, and ready again after the reload")
        assert reloaded.is_set() and "RELOADING=1" in received

    wait_for(lambda: received[-2:] == ["STOPPING=1", "STATUS=stopping"], "the last notifications")


def test_it_is_not_ready_while_its_doors_are_still_being_opened(received: list[str]) -> None:
    progress, stream, doors = Health(), threading.Event(), threading.Event()
    progress.set_role("leader", clock.monotonic())
    stream.set()
    with running(SystemdNotifier(progress, (stream, doors), threading.Event(), lambda: None)):
        wait_for(lambda: received.count("EXTEND_TIMEOUT_USEC=90000000") > 1, "a second look at what is ready")
        assert "READY=1" not in received
        doors.set()
        wait_for(lambda: "READY=1" in received, "ready")


def test_a_room_that_stopped_getting_on_starves_the_watchdog_and_is_named(received: list[str]) -> None:
    progress, ready = Health(), threading.Event()
    progress.set_role("leader", clock.monotonic())
    progress.heartbeat("stream", clock.monotonic() - STALLED_AFTER["stream"] - 1)
    ready.set()
    with running(SystemdNotifier(progress, [ready], threading.Event(), lambda: None)):
        wait_for(lambda: any(line.startswith("STATUS=stalled: stream made no progress") for line in received), "it")

    assert "WATCHDOG=1" not in received


def test_the_status_of_a_leader_shows_lag_last_event_and_last_rollup() -> None:
    health = Health()
    health.set_role("leader", 0)
    assert status(health, 1).startswith("leader, 0 s behind; last event not since the start; ")
    health.record(Instant.CLUSTER, NOON + 7)
    health.record(Instant.STREAM, NOON)
    health.record(Instant.EVENT, NOON - 60)

    assert status(health, 1) == "leader, 7 s behind; last event 2025-11-25 11:59:00 UTC; last rollup not yet"


def test_the_status_of_a_leader_whose_lease_expired_says_so() -> None:
    health = Health()
    health.set_role("leader", 0)
    health.hold_lease(8)

    assert status(health, 8).startswith("leader, ")
    assert status(health, 11) == "not ready: the lease expired 3 seconds ago and could not be renewed"


def test_the_status_is_one_line_whatever_the_reason_holds() -> None:
    progress = Health()
    progress.set_role("standby", 0, "pc:17:ab leads\nREADY=1\u202e" + "x" * 5000)
    told = status(progress, 1)

    assert told.startswith("standby: pc:17:ab leads READY=1x")
    assert "\n" not in told and len(told) <= 400
