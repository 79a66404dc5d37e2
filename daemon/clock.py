"""The only room that asks what time it is."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only ever grow; for waits and ages, never for dates."""
    return time.monotonic()
