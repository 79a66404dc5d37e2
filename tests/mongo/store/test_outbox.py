"""The outbox on a real replica set: every fact comes back as it was, in order, from any position."""

from datetime import UTC, date, datetime, timedelta

import pytest
from bson import ObjectId

from daemon.mongo.collections import OUTBOX
from daemon.mongo.types import Database
from daemon.store import outbox
from daemon.store.outbox import OutboxPosition
from rules.model.events import EventType
from rules.model.facts import Difference, ErasureFact, EventFact, Fact, FactType, GapFact, RowFact

NOON = datetime(2026, 11, 26, 11, tzinfo=UTC)
EVENT = EventFact(
    ObjectId(), EventType.LICENSE_CANCELLED, 4711, "lic_1", "pro", 799, metadata={"value": 25}, recovered=True
)
ROW = RowFact(date(2026, 11, 21), 2, changes=(Difference("mrr_cents", 21770, None),))
GAP = GapFact(ObjectId(), "history_lost", NOON, None, {"licenses": 3}, {"customers": 30})
FACTS = (
    Fact("a", FactType.EVENT_RECORDED, NOON, EVENT),
    Fact("b", FactType.DAY_AMENDED, NOON, ROW),
    Fact("c", FactType.APPROVAL_REQUESTED, NOON, GAP),
    Fact("d", FactType.CUSTOMER_FORGOTTEN, NOON, ErasureFact("cust_1")),
)


def fill(database: Database, *numbers: int) -> None:
    documents = [outbox.document(number, NOON + timedelta(days=number), FACTS) for number in numbers]
    database[OUTBOX].insert_many(documents)


def test_every_kind_of_fact_is_read_as_it_was_written(database: Database) -> None:
    fill(database, 7)

    assert [entry.fact for entry in outbox.read(database, outbox.BEGINNING, 10)] == list(FACTS)


def test_reading_continues_after_any_entry_and_over_holes(database: Database) -> None:
    fill(database, 1, 4)
    everything = list(outbox.read(database, outbox.BEGINNING, 10))

    assert [entry.position for entry in everything] == [(1, 1), (1, 2), (1, 3), (1, 4), (4, 1), (4, 2), (4, 3), (4, 4)]
    for count, entry in enumerate(everything, 1):
        assert list(outbox.read(database, entry.position, 10)) == everything[count:]


def test_a_position_before_an_instant_is_that_before_the_first_commit_at_or_after_it(database: Database) -> None:
    assert outbox.position_before(database, NOON) == (1, 0)
    fill(database, 2, 3)

    for days, expected in ((0, 2), (2, 2), (2.5, 3), (9, None)):
        position = outbox.position_before(database, NOON + timedelta(days=days))
        assert next((entry.position.number for entry in outbox.read(database, position, 1)), None) == expected


def test_a_commit_while_a_position_is_looked_up_is_after_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = outbox.end

    def end_after_a_commit(of: Database) -> OutboxPosition:
        fill(database, 3)
        return end(of)

    fill(database, 2)
    monkeypatch.setattr(outbox, "end", end_after_a_commit)

    assert outbox.position_before(database, NOON + timedelta(days=2.5)) <= (3, 0)


def test_pruning_deletes_from_the_front_and_keeps_the_newest(database: Database) -> None:
    fill(database, 1, 2, 3)

    outbox.prune(database, outbox.position_before(database, NOON + timedelta(days=3)))
    assert kept(database) == [3]
    outbox.prune(database, outbox.position_before(database, NOON + timedelta(days=99)))
    assert kept(database) == [3]


def kept(database: Database) -> list[int]:
    return [found["_id"] for found in database[OUTBOX].find().sort("_id")]


def test_waiting_documents_are_counted_from_any_entry_and_over_holes(database: Database) -> None:
    fill(database, 1, 4)

    assert outbox.count(database, OutboxPosition(1, 3)) == 2
    assert outbox.count(database, OutboxPosition(1, 4)) == 1
    assert outbox.count(database, OutboxPosition(1, 4), OutboxPosition(4, 0)) == 0
    assert outbox.count(database, outbox.end(database)) == 0


def test_entries_of_some_types_are_found_after_a_position(database: Database) -> None:
    fill(database, 1, 4)
    wanted = [FactType.DAY_AMENDED, FactType.APPROVAL_REQUESTED]
    found = list(outbox.read(database, OutboxPosition(1, 2), types=wanted))

    assert [entry.position for entry in found] == [(1, 3), (4, 2), (4, 3)]
    assert list(outbox.read(database, OutboxPosition(1, 2), 1, wanted)) == found[:1]
