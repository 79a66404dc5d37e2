"""Who got on with it, and when: the one source of health, readiness and the watchdog.

Each room reports what it did, never that it is alive. Times are monotonic seconds handed in by the caller.
"""

import threading
from dataclasses import dataclass, field

STALLED_AFTER = {"stream": 45.0, "pipeline": 60.0, "scheduler": 30.0}
"""Seconds without progress after which a room counts as stalled: a stream answers every few seconds even when
nothing happens, a commit is bounded by its timeout, the bell rings every second."""


@dataclass(slots=True)
class Health:
    """Shared by all threads. `role` is starting, standby, reconciling, waiting, retrying or leader.

    `struggles` from the second setback on between which nothing was committed: an open stream is no progress then.
    """

    role: str = "starting"
    reason: str = ""
    is_recovering: bool = False
    last: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def heartbeat(self, room: str, now: float) -> None:
        """`room` got one step on."""
        with self._lock:
            self.last[room] = now

    def set_role(self, role: str, now: float, reason: str = "") -> None:
        """Take on a role; the rooms it needs start counting from now."""
        with self._lock:
            self.role, self.reason = role, reason
            self.last["pipeline"] = now
            if role == "leader":
                self.last["stream"] = now
                self.is_recovering = False

    def stalled(self, now: float) -> list[str]:
        """The rooms that should have got on and did not, as sentences."""
        with self._lock:
            rooms = ["scheduler", "pipeline"] + (["stream"] if self.role == "leader" else [])
            return [
                f"{room} made no progress for {now - self.last[room]:.0f} seconds"
                for room in rooms
                if room in self.last and now - self.last[room] > STALLED_AFTER[room]
            ]

    def not_ready(self, now: float) -> list[str]:
        """Why this daemon cannot be relied on at the moment; empty when it can."""
        problems = self.stalled(now)
        if self.role not in ("leader", "standby"):
            problems.append(f"{self.role}: {self.reason}" if self.reason else self.role)
        return problems
