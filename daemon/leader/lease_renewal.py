"""Renewal of the lease in a thread of its own, so that no long job lets it expire."""

import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from daemon import clock
from daemon.errors import ChatelloError
from daemon.runtime import logs
from daemon.runtime.health import Health
from daemon.store.lease import Lease, Leaser

RENEWED_AFTER = 0.4
"""Share of the term: one renewal may fail, and an idle daemon sends less than one command a second in all."""

log = logs.get("lease")


class LeaseRenewer(AbstractContextManager["LeaseRenewer"]):
    """Renews the lease while the context is open. A lost lease is detected by the next commit.

    `acquired_at` is the monotonic time before the lease was acquired. Health knows until when the lease is held: the
    start of the last successful renewal plus the term, an instant that no slow call can postpone.
    """

    def __init__(self, leaser: Leaser, lease: Lease, health: Health, acquired_at: float) -> None:
        self.leaser = leaser
        self.lease = lease
        self.health = health
        self.health.hold_lease(acquired_at + leaser.seconds)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._closed.wait(self.leaser.seconds * RENEWED_AFTER):
            began = clock.monotonic()
            try:
                if not self.leaser.renew(self.lease):
                    log.warning("lease.taken_by_other", epoch=self.lease.epoch)
                    return
                self.health.hold_lease(began + self.leaser.seconds)
            except ChatelloError as error:
                log.warning("lease.renewal_failed", problem=str(error))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._thread.join()
        self.health.give_up_lease()
