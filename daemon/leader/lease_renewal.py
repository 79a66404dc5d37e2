"""Keeps the lease while a term lasts: renews it in a thread of its own, so that no long job lets it run out."""

import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from daemon.errors import ChatelloError
from daemon.runtime import logs
from daemon.store.lease import Lease, Leaser

log = logs.get("lease")


class LeaseRenewer(AbstractContextManager["LeaseRenewer"]):
    """Renews every `interval` seconds until left. A lease that was lost is found out by the next commit."""

    def __init__(self, office: Leaser, lease: Lease, interval: float) -> None:
        self.office = office
        self.lease = lease
        self.interval = interval
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._left.wait(self.interval):
            try:
                if not self.office.renew(self.lease):
                    log.warning("lease.taken_by_other", epoch=self.lease.epoch)
                    return
            except ChatelloError as error:
                log.warning("lease.renewal_failed", problem=str(error))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._thread.join()
