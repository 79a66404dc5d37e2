"""Speaks to systemd: READY once it may, WATCHDOG only while all get on, STATUS always; hears what SIGHUP asks.

Liveness is progress: a watchdog that is not fed kills the process, so nothing here feeds it on its own account.
"""

import os
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from prometheus_client import Gauge

from daemon import clock
from daemon.runtime import logs, metrics
from daemon.runtime.health import Health
from rules.text import one_line

TICK_SECONDS = 1.0
FIRST_TICK_SECONDS = 0.05
LONGER = "EXTEND_TIMEOUT_USEC=90000000"
"""A first start on a large database takes its time: systemd waits another 90 seconds as long as all get on."""
STATUS_CHARACTERS = 400

log = logs.get("systemd")


class SystemdNotifier:
    """Others set `ready`, each for its part (the stream is open or another leads; the doors are open), and `hangup`."""

    def __init__(
        self, progress: Health, ready: Sequence[threading.Event], hangup: threading.Event, reload: Callable[[], None]
    ) -> None:
        self.progress = progress
        self.ready = ready
        self.hangup = hangup
        self.reload = reload
        self._told = False

    def run(self, stop: threading.Event) -> None:
        """Until told to stop. Once ready, a SIGHUP has the configuration read again."""
        while not stop.wait(TICK_SECONDS if self._told else FIRST_TICK_SECONDS):
            if not self._told and all(part.is_set() for part in self.ready):
                self._told = True
                notify("READY=1")
                log.info("daemon.ready", role=self.progress.role)
            self._report()
            if self._told and self.hangup.is_set():
                self.hangup.clear()
                self._reload()
        notify("STOPPING=1", "STATUS=stopping")

    def _report(self) -> None:
        alive = not self.progress.stalled(clock.monotonic())
        feed = [] if not alive else ["WATCHDOG=1"] if self._told else [LONGER]
        notify(*feed, f"STATUS={status(self.progress, clock.monotonic())}")

    def _reload(self) -> None:
        notify("RELOADING=1", f"MONOTONIC_USEC={int(clock.monotonic() * 1_000_000)}")
        self.reload()
        notify("READY=1")


def status(progress: Health, now: float) -> str:
    """What `systemctl status` shows: the role, and how far it is or why it is not; one line."""
    stalled = progress.stalled(now)
    if stalled:
        told = f"stalled: {'; '.join(stalled)}"
    elif progress.role == "leader":
        told = f"leader, {_lag_seconds():.0f} s behind; last event {_when(metrics.LAST_EVENT, 'not since the start')}; "
        told += f"last rollup {_when(metrics.ROLLUP, 'not yet')}"
    else:
        told = f"{progress.role}: {progress.reason}" if progress.reason else progress.role
    return one_line(told, STATUS_CHARACTERS)


def _lag_seconds() -> float:
    """Seconds between the newest position heard (at first: stored) and the newest cluster time the server told."""
    position = metrics.value(metrics.STREAM_TOKEN) or metrics.value(metrics.CHECKPOINT)
    return max(0.0, metrics.value(metrics.CLUSTER) - position) if position else 0.0


def _when(gauge: Gauge, never: str) -> str:
    seconds = metrics.value(gauge)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" if seconds else never


def notify(*lines: str) -> bool:
    """Send state lines such as "READY=1"; False where no socket is set or it does not take them."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True
