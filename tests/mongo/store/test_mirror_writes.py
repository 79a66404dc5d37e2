"""Write commands of the mirror on a real server: few inserts join the updates, existing documents are kept."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId

from daemon.mongo.types import Database
from daemon.store.mirror.reader import MirrorReader
from daemon.store.mirror.writes import MAX_INSERTS_WITH_UPDATES, mirror_writes
from rules.model.changes import DocId
from rules.model.decision import Decision, Mirror
from rules.model.states import CustomerState
from rules.settings.settings import Settings

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def customers(count: int, **values: Any) -> dict[DocId, CustomerState | None]:
    ids = [ObjectId(f"{number:024x}") for number in range(count)]
    return {key: CustomerState(key, {"name": f"C{key}", "created_at": NOON}, present=True, **values) for key in ids}


def apply_writes(
    db: Database, known: dict[DocId, CustomerState | None], decided: dict[DocId, CustomerState | None]
) -> list[Any]:
    commands = list(mirror_writes(Decision(customers=decided), Mirror(customers=known)).commands())
    return [error for command in commands for error in db.command(command).get("writeErrors", ())]


def stored(db: Database, ids: list[Any]) -> dict[DocId, CustomerState | None]:
    return {state.id: state for state in MirrorReader(db, Settings()).customers(ids)}


@pytest.mark.parametrize("new", [0, 1, MAX_INSERTS_WITH_UPDATES, MAX_INSERTS_WITH_UPDATES + 1, 2500])
def test_new_and_known_documents_are_written_as_decided(database: Database, new: int) -> None:
    known = customers(3)
    apply_writes(database, {}, known)
    decided = customers(3 + new, mrr_cents=799) | {next(iter(known)): None}

    assert apply_writes(database, known, decided) == []
    assert stored(database, list(decided)) == {key: state for key, state in decided.items() if state}


def test_a_few_new_documents_and_an_update_are_one_command() -> None:
    known = customers(1)

    [command] = mirror_writes(Decision(customers=customers(3, mrr_cents=1)), Mirror(customers=known)).commands()

    assert [bool(update.get("upsert")) for update in command["updates"]] == [True, True, False]


@pytest.mark.parametrize("known", [0, 1])
def test_a_document_assumed_to_be_new_never_overwrites_an_existing_one(database: Database, known: int) -> None:
    existing = customers(2)
    apply_writes(database, {}, existing)
    assumed = dict(list(existing.items())[:known])

    errors = apply_writes(database, assumed, customers(2, mrr_cents=799))

    assert {error["code"] for error in errors} == {11000}
    untouched = list(existing)[known:]
    assert stored(database, untouched) == {key: existing[key] for key in untouched}
