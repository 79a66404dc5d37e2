"""sd_notify client: READY=1 once started, WATCHDOG=1 while all components make progress, STATUS always.

Without systemd every message is dropped. Protocol: sd_notify(3).
"""

import os
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from daemon import clock
from daemon.runtime import logs
from daemon.runtime.health import Health, Instant
from rules.text import one_line

TICK_SECONDS = 1.0
FIRST_TICK_SECONDS = 0.05
EXTEND_TIMEOUT = "EXTEND_TIMEOUT_USEC=90000000"
"""Sent while starting and making progress: a first start on a large database takes longer than systemd waits."""
STATUS_CHARACTERS = 400

log = logs.get("systemd")


class SystemdNotifier:
    """Reports the health of the process to systemd, and reloads the configuration on SIGHUP.

    The process is ready once all events in `ready` are set (change stream, HTTP server). `hangup` is set by the signal
    handler.
    """

    def __init__(
        self, health: Health, ready: Sequence[threading.Event], hangup: threading.Event, reload: Callable[[], None]
    ) -> None:
        self.health = health
        self.ready = ready
        self.hangup = hangup
        self.reload = reload
        self._is_ready = False

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set. SIGHUP reloads the configuration once the process is ready."""
        while not stop.wait(TICK_SECONDS if self._is_ready else FIRST_TICK_SECONDS):
            if not self._is_ready and all(part.is_set() for part in self.ready):
                self._is_ready = True
                notify("READY=1")
                log.info("daemon.ready", role=self.health.role)
            self._report()
            if self._is_ready and self.hangup.is_set():
                self.hangup.clear()
                self._reload()
        notify("STOPPING=1", "STATUS=stopping")

    def _report(self) -> None:
        """Feed the watchdog only while all components make progress: systemd then restarts a process that hangs."""
        now = clock.monotonic()
        feed = [] if self.health.stalled(now) else ["WATCHDOG=1"] if self._is_ready else [EXTEND_TIMEOUT]
        notify(*feed, f"STATUS={status(self.health, now)}")

    def _reload(self) -> None:
        notify("RELOADING=1", f"MONOTONIC_USEC={int(clock.monotonic() * 1_000_000)}")
        self.reload()
        notify("READY=1")


def status(health: Health, now: float) -> str:
    """Return the line that `systemctl status` shows: the role, and the position or the problem."""
    stalled, expired = health.stalled(now), health.expired_lease(now)
    role, reason = health.role, health.reason
    if stalled:
        text = f"stalled: {'; '.join([*stalled, *expired])}"
    elif expired:
        text = f"not ready: {expired[0]}"
    elif role == "leader":
        text = f"leader, {health.lag_seconds():.0f} s behind; "
        text += f"last event {_instant(health, Instant.EVENT, 'not since the start')}; "
        text += f"last rollup {_instant(health, Instant.ROLLUP, 'not yet')}"
    else:
        text = f"{role}: {reason}" if reason else role
    return one_line(text, STATUS_CHARACTERS)


def _instant(health: Health, instant: Instant, never: str) -> str:
    seconds = health.at(instant)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" if seconds else never


def notify(*lines: str) -> bool:
    """Send state lines such as "READY=1"; return False if there is no socket or it refuses them."""
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
