"""A commit in progress: in the caller's thread, or in one of its own while the next batch is prepared.

The caller waits for one before it starts the next, so transactions keep their order in one session.
"""

import threading
from collections.abc import Sequence

from daemon.runtime import metrics
from daemon.store.commit import Committer, Writes
from rules.model.changes import Change
from rules.model.decision import Decision


class PendingCommit:
    """The commit of one decision, and the changes it was made of."""

    def __init__(self, committer: Committer, writes: Writes, decision: Decision, changes: Sequence[Change]) -> None:
        self.committer = committer
        self.writes = writes
        self.decision = decision
        self.changes = changes
        self._events = 0
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Commit in the background. The thread ends with the process: the database is consistent either way."""
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    def wait(self) -> int:
        """Wait for the commit and return the number of new events; raise what `Committer.write` raised."""
        if self._thread is None:
            return self._write()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._events

    def _run(self) -> None:
        try:
            self._events = self._write()
        except BaseException as error:  # noqa: BLE001 - raised by `wait`
            self._error = error

    def _write(self) -> int:
        with metrics.COMMIT_SECONDS.time():
            return self.committer.write(self.writes)
