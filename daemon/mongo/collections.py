"""The collections the daemon keeps, and the two it shares with the dashboard."""

import hashlib

from bson import ObjectId

MIRROR = "analytics_mirror"
LEDGER = "analytics_ledger"
CHECKPOINT = "analytics_checkpoint"
DEAD_LETTERS = "analytics_dead_letters"
GAPS = "analytics_gaps"
KEPT_ROWS = "analytics_rows"
FORGOTTEN = "analytics_forgotten"
AUDIT = "analytics_audit"
EVENTS = "business_events"
ROWS = "historical_analytics"

SOURCE_NAME = "chatello-analytics"
"""Stands in `metadata.source` of every business event of ours."""

OWN = (MIRROR, LEDGER, CHECKPOINT, DEAD_LETTERS, GAPS, KEPT_ROWS, FORGOTTEN, AUDIT)
SHARED = (EVENTS, ROWS)


def event_id(key: str) -> ObjectId:
    """The `_id` of the event with this natural key, made of nothing else: a replay collides."""
    return ObjectId(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:12])
