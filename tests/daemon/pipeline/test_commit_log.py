"""What the log says of a commit: every event by itself, or their count where they are too many to read."""

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from daemon.pipeline import commit_log
from rules.model.changes import Change, Operation, Source
from rules.model.decision import Decision
from rules.model.events import Event, EventType
from rules.model.ledger import Totals

AT = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(("most", "lines", "counted"), [(3, 3, None), (2, 0, {"new_customer": 3})])
def test_each_event_has_a_line_unless_they_are_too_many_and_then_they_are_counted(
    most: int, lines: int, counted: dict[str, int] | None
) -> None:
    told = [Event(f"new_customer:{n}", EventType.NEW_CUSTOMER, AT, f"Nuovo cliente: {n}") for n in range(3)]
    decision = Decision(events=told, totals=Totals())
    with capture_logs() as said:
        commit_log.log_commit(decision, [Change(Source.CUSTOMERS, Operation.INSERT, 1, AT, "")], 3, most)

    batch = next(line for line in said if line["event"] == "batch.committed")
    assert sum(line["event"] == "event.recorded" for line in said) == lines
    assert (batch["events"], batch.get("types")) == (3, counted)
