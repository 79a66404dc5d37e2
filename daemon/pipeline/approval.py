"""Deletions that need the approval of a person before a reconciliation applies them."""

from daemon.store.checkpoint import Checkpoint
from rules.handlers import mass_deletion
from rules.model.changes import Source
from rules.settings.settings import DeletionLimit


def question(limit: DeletionLimit, checkpoint: Checkpoint | None, source: Source, known: int, gone: int) -> str:
    """Return what needs approval if `gone` of the `known` mirrored documents are missing, "" if nothing does.

    The deletions that the stream applied in the last minutes before the checkpoint count too. Nothing follows from a
    deleted payment, and old ones may be removed.
    """
    if not gone or source is Source.PAYMENTS:
        return ""
    applied = _applied(checkpoint, source)
    if not limit.is_exceeded(gone + applied, known + applied):
        return ""
    asked = f"{gone + applied} of {known + applied} {source} disappeared from the database"
    return f"{asked} ({applied} of these deletions are recorded already)" if applied else asked


def _applied(checkpoint: Checkpoint | None, source: Source) -> int:
    if checkpoint is None or checkpoint.at is None:
        return 0
    return mass_deletion.recent(checkpoint.memory.get(mass_deletion.DELETIONS, {}), checkpoint.at)[source]
