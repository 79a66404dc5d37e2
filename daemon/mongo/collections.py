"""Names of the daemon's own collections and of the two it shares with the dashboard, and ids of events."""

import hashlib

from bson import ObjectId

MIRROR = "analytics_mirror"
LEDGER = "analytics_ledger"
CHECKPOINT = "analytics_checkpoint"
DEAD_LETTERS = "analytics_dead_letters"
GAPS = "analytics_gaps"
WRITTEN_ROWS = "analytics_rows"
ERASURE_LIST = "analytics_forgotten"
AUDIT = "analytics_audit"
OUTBOX = "analytics_outbox"
TARGETS = "analytics_targets"
EVENTS = "business_events"
ROWS = "historical_analytics"

SOURCE_NAME = "chatello-analytics"
"""Value of `metadata.source` of the daemon's own business events."""
SAMPLE_SOURCE = f"{SOURCE_NAME} sample"
"""Value of `metadata.source` of sample events: they are no facts, so no closed row and no delivery contains them."""
EXTERNAL = {"$nin": [SOURCE_NAME, SAMPLE_SOURCE]}
"""Condition on `metadata.source` of external events."""

OWN = (MIRROR, LEDGER, CHECKPOINT, DEAD_LETTERS, GAPS, WRITTEN_ROWS, ERASURE_LIST, AUDIT)
DELIVERY = (OUTBOX, TARGETS)
"""Own collections that exist only where a target is configured."""
SHARED = (EVENTS, ROWS)


def event_id(key: str) -> ObjectId:
    """Return the `_id` of an event, derived only from its natural key, so that a replay collides."""
    return ObjectId(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:12])
