"""What can go wrong, one class per decision: retry, reconcile, stand by, or end with an exit status.

Texts say what happened, to what, and what to do. Secrets never appear in them.
"""

from datetime import datetime

EXIT_FAILURE = 1
EXIT_UNAVAILABLE = 75
EXIT_LOGIN = 77
EXIT_CONFIGURATION = 78


class ChatelloError(Exception):
    """The root of our errors; a leaf that reaches the top ends the process with its `exit_status`."""

    exit_status = EXIT_FAILURE


class ConfigurationError(ChatelloError):
    """A person has to change the configuration, the server's or ours; starting again would not help."""

    exit_status = EXIT_CONFIGURATION


class AccessDenied(ChatelloError):
    """The database refuses the user, the password or a right."""

    exit_status = EXIT_LOGIN


class Unavailable(ChatelloError):
    """The database does not answer, or asks to try again: wait and start from the checkpoint."""

    exit_status = EXIT_UNAVAILABLE


class SnapshotTooOld(Unavailable):
    """The server no longer keeps the snapshot that is read: what was done stays done, begin anew at a newer one."""


class StreamBroken(ChatelloError):
    """The change stream cannot be followed from the checkpoint: reconcile, and record the gap."""

    def __init__(self, cause: str, text: str, at: datetime | None = None) -> None:
        super().__init__(text)
        self.cause = cause
        self.at = at


class IdempotencyKeyConflict(ChatelloError):
    """A key that makes an event known stands for another one: the caller has to choose."""


class LeaseLost(ChatelloError):
    """Another daemon holds the lease: nothing more may be written; stand by."""


class DeletionsNotAccepted(ChatelloError):
    """Documents disappeared in a way nobody may take for deletions yet: the gap stays open, nothing is deleted.

    `missing` counts them per collection, for the next look to compare with.
    """

    def __init__(self, text: str, missing: dict[str, int]) -> None:
        super().__init__(text)
        self.missing = missing


class ErasureListChanged(Unavailable):
    """A person was forgotten since we looked: nothing based on what we knew may be written; begin anew."""
