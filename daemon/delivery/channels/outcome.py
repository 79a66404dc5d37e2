"""Outcome of one attempt to deliver a message to a target."""

from enum import StrEnum
from typing import NamedTuple


class OutcomeKind(StrEnum):
    """DELIVERED; REFUSED: this message only; GONE: the target wants no messages any more; FAILED: try again later."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    GONE = "gone"
    FAILED = "failed"


class Outcome(NamedTuple):
    """Outcome of an attempt.

    `problem` is one sentence without secrets and without text of the receiver, so it may be stored. `answer` is the
    beginning of what the receiver answered: for a person who tests the target, never stored.
    """

    kind: OutcomeKind
    problem: str = ""
    status: int | None = None
    retry_after_seconds: float = 0
    answer: str = ""
