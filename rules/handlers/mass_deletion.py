"""Limit of the deletions that are applied without approval: per collection, over the last minutes of stream time.

The counts are part of the memory in the checkpoint, so the same deletion exceeds the limit for any split into batches.
A deleted payment or plan has no event and no movement, and is not counted.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from rules.handlers.batch import Batch
from rules.model.changes import Change, Operation, Origin, Source
from rules.model.decision import Memory
from rules.model.ledger import Totals

DELETIONS = "deletions"
"""Name of the memory: deletions by "collection:minute", minutes counted from 1970."""
WINDOW_MINUTES = 10


class MassDeletion(Exception):
    """A deletion that exceeds the limit: neither it nor a later change may be applied without approval."""

    def __init__(self, change: Change, deleted: int, known: int) -> None:
        super().__init__(
            f"{deleted} of {known} {change.source} were deleted within {WINDOW_MINUTES} minutes; "
            "this deletion and later changes are compared by a reconciliation before they are applied"
        )
        self.change = change


def count(batch: Batch, change: Change) -> None:
    """Count the deletion of a known document. Raises MassDeletion if it exceeds the limit of the settings."""
    limit = batch.settings.deletion_limit
    if limit is None or change.op is not Operation.DELETE or change.origin is not Origin.STREAM:
        return
    if not _is_known(batch, change):
        return
    counts = _within_window(batch.decision.memory.get(DELETIONS, {}), change.at)
    earlier = sum(number for name, number in counts.items() if _collection(name) == change.source)
    known = _documents(batch.decision.totals, change.source) + earlier
    if limit.is_exceeded(earlier + 1, known):
        raise MassDeletion(change, earlier + 1, known)
    name = f"{change.source}:{_minute(change.at)}"
    batch.decision.memory[DELETIONS] = {**counts, name: counts.get(name, 0) + 1}


def recent(memory: Memory, at: datetime) -> Counter[str]:
    """Return the number of deletions applied in the last minutes before `at`, by collection."""
    counts: Counter[str] = Counter()
    for name, number in _within_window(memory, at).items():
        counts[_collection(name)] += number
    return counts


def _is_known(batch: Batch, change: Change) -> bool:
    """Return whether the totals count the document."""
    if change.source is Source.CUSTOMERS:
        return batch.customer_state(change.id).present
    if change.source is Source.LICENSES:
        state = batch.license_state(change.id)
        return state is not None and state.value is not None
    return False


def _documents(totals: Totals, source: Source) -> int:
    if source is Source.CUSTOMERS:
        return totals.customers
    return sum(plan.licenses for plan in totals.by_plan.values())


def _within_window(memory: Memory, at: datetime) -> Mapping[str, int]:
    oldest = _minute(at) - WINDOW_MINUTES
    return {name: int(number) for name, number in memory.items() if int(name.partition(":")[2]) > oldest}


def _collection(name: str) -> str:
    return name.partition(":")[0]


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60
