"""Dry run of a reconciliation: what it would do with each document. Writes nothing."""

from collections import Counter
from collections.abc import Iterator

from daemon.config.schema import Config
from daemon.mongo.client import translated
from daemon.mongo.id_text import shown_id
from daemon.mongo.types import Database
from daemon.pipeline import approval
from daemon.pipeline.reconciliation import ORDER, SnapshotDiff
from daemon.source.decode import Decoder
from daemon.source.snapshot import Difference
from daemon.store import checkpoint as checkpoints
from daemon.store import forgotten
from daemon.store.mirror.reader import MirrorReader
from rules.model import documents


def survey(database: Database, config: Config) -> Iterator[str]:
    """Yield a line per document that a reconciliation would add, update or delete, then what needs approval."""
    known = forgotten.load(database)
    decoder = Decoder(config.time.naive_zone, config.rules.manual_email, known.contains)
    reader, limit = MirrorReader(database, config.settings()), config.reconciliation.limit()
    checkpoint = checkpoints.load(database)
    with translated(), database.client.start_session(snapshot=True) as session:
        diff = SnapshotDiff(database, reader, decoder, session)
        questions = []
        for source in ORDER:
            actions: Counter[str] = Counter()
            for found in diff.differences(source):
                action, fields = _action(found)
                actions[action] += 1
                yield f"{source} {shown_id(found.id)}: {action}{fields}"
            questions.append(approval.question(limit, checkpoint, source, diff.mirrored[source], actions["delete"]))
    yield from (f"needs approval: {question}" for question in questions if question)


def _action(found: Difference) -> tuple[str, str]:
    """Return add, update or delete, and for an update the names of the fields that differ."""
    if found.found is None:
        return "delete", ""
    if found.mirrored is None:
        return "add", ""
    changed = documents.changed(found.source, found.mirrored, found.found)
    return "update", f" {', '.join(changed)}" if changed else ""
