"""Comparison of the states in a pipeline's memory with those of the database."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from daemon.mongo.types import Database
from daemon.pipeline.pipeline import Pipeline
from daemon.store.mirror.reader import MirrorReader


def assert_memory_equals_mirror(pipeline: Pipeline, db: Database) -> None:
    """Assert that a pipeline without a pending commit remembers what the database has, or nothing."""
    known = pipeline._memory.states
    if known is not None:
        stored = MirrorReader(db, pipeline.reader.settings).all_states(10**6)
        assert stored is not None
        for name in ("customers", "licenses", "payments"):
            assert shown(getattr(known, name)) == shown(getattr(stored, name))


def shown(value: Any) -> Any:
    """Return a value with one form of what is equal: the order of keys, time zones, NaN."""
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, {field.name: shown(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {repr(key): shown(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [shown(one) for one in value]
    return repr(value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value)
