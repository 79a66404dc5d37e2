"""Log lines about a commit.

Events of a batch larger than `logs.batch_events` are counted instead of logged one by one: journald keeps 10,000 lines
in 30 seconds and drops the rest, and of a backlog of 100,000 changes a fifth of the time was spent on these lines.
"""

import logging
from collections import Counter
from collections.abc import Sequence

from daemon.mongo.id_text import shown_id
from daemon.runtime import logs
from rules.model.changes import Change
from rules.model.decision import Decision
from rules.model.events import Event

log = logs.get("pipeline")


def log_commit(decision: Decision, changes: Sequence[Change], events: int, most: int) -> None:
    """Log each event (if at most `most`), each held and released document, and the batch; `events` of it were new."""
    are_few = len(decision.events) <= most
    for event in decision.events if are_few and log.is_enabled_for(logging.INFO) else ():
        _log_event(event)
    for held in decision.held.values():
        log.warning(
            "document.held",
            collection=held.source.value,
            id=shown_id(held.id),
            problem=held.reason,
            hint="correct the document; a valid version of it is applied automatically",
        )
    for source, doc_id in decision.released:
        log.info("document.released", collection=source.value, id=shown_id(doc_id))
    if changes:
        log.info(
            "batch.committed",
            changes=len(changes),
            events=events,
            movements=len(decision.movements),
            mrr_cents=decision.totals.mrr_cents,
            **({} if are_few else {"types": Counter(event.type.value for event in decision.events)}),
        )


def _log_event(event: Event) -> None:
    log.info(
        "event.recorded",
        type=event.type.value,
        description=event.description,
        customer_id=None if event.customer_id is None else shown_id(event.customer_id),
        license_id=None if event.license_id is None else shown_id(event.license_id),
        amount_cents=event.amount_cents,
        at=event.at,
    )
