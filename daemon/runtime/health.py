"""What is known about the daemon's progress: the one source of probes, watchdog, status line, page and metrics.

Components record what they did, never that they are alive. `now` is monotonic seconds, an argument.
"""

import threading
from collections.abc import Callable
from enum import StrEnum

from daemon import clock

STALLED_AFTER = {"stream": 45.0, "pipeline": 60.0, "scheduler": 30.0}
"""Seconds without progress after which a component counts as stalled: a stream answers every few seconds even when
nothing happens, a commit is bounded by its timeout, the scheduler ticks every second."""

Heartbeat = Callable[[], None]
"""Records that a component made progress. Never raises."""


class Instant(StrEnum):
    """Wall-clock instants worth showing, kept as Unix seconds."""

    CLUSTER = "cluster"
    """Newest cluster time in a server reply."""
    STREAM = "stream"
    """Cluster time of the newest position received from the stream."""
    CHECKPOINT = "checkpoint"
    """Cluster time of the committed position."""
    EVENT = "event"
    """Newest business event written."""
    ROLLUP = "rollup"
    """Last time that no due row was missing."""
    VERIFICATION = "verification"
    """Last verification that passed."""


class Health:
    """Progress of all components, role and lease. Shared by all threads, under its own lock.

    The role is starting, standby, reconciling, waiting, retrying or leader. While `is_recovering` (from the second
    setback in a row on) an open stream does not count as leading: only a commit does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._role, self._reason = "starting", ""
        self._is_recovering = False
        self._last: dict[str, float] = {}
        self._instants: dict[Instant, float] = {}
        self._mismatches = 0
        self._lease_until: float | None = None

    @property
    def role(self) -> str:
        with self._lock:
            return self._role

    @property
    def reason(self) -> str:
        """Why the daemon is in its role; empty where the role says it all."""
        with self._lock:
            return self._reason

    @property
    def is_recovering(self) -> bool:
        with self._lock:
            return self._is_recovering

    @property
    def mismatches(self) -> int:
        """Numbers that differed in the last verification."""
        with self._lock:
            return self._mismatches

    def heartbeat(self, component: str, now: float) -> None:
        """Record that `component` made progress."""
        with self._lock:
            self._last[component] = now

    def heartbeat_of(self, component: str) -> Heartbeat:
        """Return the heartbeat of one component."""
        return lambda: self.heartbeat(component, clock.monotonic())

    def set_role(self, role: str, now: float, reason: str = "") -> None:
        """Set the role; the components it needs are measured from now on."""
        with self._lock:
            self._role, self._reason = role, reason
            self._last["pipeline"] = now
            if role == "leader":
                self._last["stream"] = now
                self._is_recovering = False

    def set_back(self, now: float, reason: str, *, is_recovering: bool) -> None:
        """Record that the term ended by an error and is retried."""
        self.set_role("retrying", now, reason)
        with self._lock:
            self._is_recovering = is_recovering

    def hold_lease(self, until: float) -> None:
        """Record that the lease is held until `until`: the start of a successful renewal plus its term."""
        with self._lock:
            self._lease_until = until

    def give_up_lease(self) -> None:
        with self._lock:
            self._lease_until = None

    def record(self, instant: Instant, seconds: float) -> None:
        """Record an instant, in Unix seconds."""
        with self._lock:
            self._instants[instant] = seconds

    def record_verification(self, seconds: float, mismatches: int) -> None:
        """Record the outcome of a verification."""
        with self._lock:
            self._mismatches = mismatches
            if not mismatches:
                self._instants[Instant.VERIFICATION] = seconds

    def at(self, instant: Instant) -> float:
        """Return an instant in Unix seconds; 0 before it was first recorded."""
        with self._lock:
            return self._instants.get(instant, 0.0)

    def lag_seconds(self) -> float:
        """Seconds between the newest position received (before that: committed) and the newest known cluster time."""
        position = self.at(Instant.STREAM) or self.at(Instant.CHECKPOINT)
        return max(0.0, self.at(Instant.CLUSTER) - position) if position else 0.0

    def stalled(self, now: float) -> list[str]:
        """Return a sentence for each component that should have made progress and did not."""
        with self._lock:
            components = ["scheduler", "pipeline"] + (["stream"] if self._role == "leader" else [])
            return [
                f"{component} made no progress for {now - self._last[component]:.0f} seconds"
                for component in components
                if component in self._last and now - self._last[component] > STALLED_AFTER[component]
            ]

    def expired_lease(self, now: float) -> list[str]:
        """Return a sentence if the lease ran out without a renewal: another daemon may lead, commits are refused."""
        with self._lock:
            until = self._lease_until
        if until is None or now <= until:
            return []
        return [f"the lease expired {now - until:.0f} seconds ago and could not be renewed"]

    def not_ready(self, now: float) -> list[str]:
        """Return why this daemon cannot be relied on at the moment; empty if it can."""
        problems = [*self.stalled(now), *self.expired_lease(now)]
        with self._lock:
            role, reason = self._role, self._reason
        if role not in ("leader", "standby"):
            problems.append(f"{role}: {reason}" if reason else role)
        return problems
