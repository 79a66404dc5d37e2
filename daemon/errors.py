"""Error classes, one per decision: retry, reconcile, continue as standby, or exit with a status.

Messages contain the problem, the value and a fix, and never secrets.
"""

from datetime import datetime

EXIT_FAILURE = 1
EXIT_UNAVAILABLE = 75
EXIT_ACCESS_DENIED = 77
EXIT_CONFIGURATION = 78


class ChatelloError(Exception):
    """Base class; an error that is not handled ends the process with its `exit_status`."""

    exit_status = EXIT_FAILURE


class ConfigurationError(ChatelloError):
    """The configuration of the daemon or the server has to be changed; a restart would not help."""

    exit_status = EXIT_CONFIGURATION


class AccessDenied(ChatelloError):
    """The database rejects the user or the password, or a privilege is missing."""

    exit_status = EXIT_ACCESS_DENIED


class Unavailable(ChatelloError):
    """The database does not answer or asks to retry: wait, then restart from the checkpoint."""

    exit_status = EXIT_UNAVAILABLE


class SnapshotTooOld(Unavailable):
    """The server no longer keeps the snapshot: keep what is done and restart with a newer snapshot."""


class StreamBroken(ChatelloError):
    """The change stream cannot be resumed from the checkpoint: record a gap and reconcile."""

    def __init__(self, cause: str, text: str, at: datetime | None = None) -> None:
        super().__init__(text)
        self.cause = cause
        self.at = at


class IdempotencyKeyConflict(ChatelloError):
    """An idempotency key was used again for a different event: the caller has to choose another key."""


class LeaseLost(ChatelloError):
    """Another daemon holds the lease: stop writing and continue as standby."""


class DeletionsNotAccepted(ChatelloError):
    """Too many documents are missing to assume deletions: delete nothing, keep the gap open, wait for approval.

    `missing` is their number per collection, to be compared with the next attempt, of the `known` ones. `is_asked`: a
    person has to decide; otherwise the documents may be coming back, and the next attempt decides.
    """

    def __init__(
        self, text: str, missing: dict[str, int], known: dict[str, int] | None = None, *, is_asked: bool = False
    ) -> None:
        super().__init__(text)
        self.missing = missing
        self.known = known or {}
        self.is_asked = is_asked


class ErasureListChanged(Unavailable):
    """The erasure list grew since it was read: discard decisions based on it and restart from the checkpoint."""


class Reconfigured(ChatelloError):
    """The rules changed: restart from the checkpoint with the new ones."""


class Stopped(ChatelloError):
    """The daemon is stopping; the work in hand is repeated after the next start."""


class QueueClosed(ChatelloError):
    """The change queue was closed: its consumer has ended."""
