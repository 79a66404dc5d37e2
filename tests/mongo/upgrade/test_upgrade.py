"""A database that the last program with format 1 wrote (README.md) is taken over, on a real replica set."""

import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bson import MinKey, json_util
from click.testing import CliRunner

from daemon.cli import main
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.diagnostics.row_audit import RowAudit
from daemon.diagnostics.verification import Verification
from daemon.errors import EXIT_CONFIGURATION
from daemon.mongo.types import Database, Document
from daemon.rollup.rollup import Rollup
from daemon.store import checkpoint as checkpoints
from rules.rows.row import DASHBOARD_NUMBERS, NUMBERS
from tests import shop

DUMP = Path(__file__).with_name("format_1.json.gz")
LAST_CLOSED, RUNNING = date(2026, 11, 1), date(2026, 11, 2)
RUNNING_AT = datetime(2026, 11, 2, 9, 0, 17, tzinfo=UTC)
NOON_AFTER = datetime(2026, 11, 3, 12, tzinfo=UTC)
PERSONS_NOTES = {"2026-10-29": "Giornata di lancio, scritto a mano", "2026-10-30": " | vedi mail di Anna"}


class Upgraded(NamedTuple):
    """A database after the upgrade, and its documents before."""

    db: Database
    config: Config
    before: dict[str, list[Document]]

    def rows(self) -> dict[Any, Document]:
        return {row["_id"]: row for row in self.db.historical_analytics.find()}

    def closed_before(self) -> list[Document]:
        return [row for row in self.before["historical_analytics"] if row["final"]]


def restore(db: Database) -> dict[str, list[Document]]:
    """Insert the dump; return the stored documents by collection."""
    dump = json_util.loads(gzip.decompress(DUMP.read_bytes()), json_options=json_util.CANONICAL_JSON_OPTIONS)
    for name, documents in dump.items():
        if documents:
            db[name].insert_many(documents)
    return {name: list(db[name].find()) for name in dump}


@pytest.fixture(scope="module")
def upgraded(mongo_uri: str) -> Iterator[Upgraded]:
    """Return a dump that the leader has taken over; the tests only read it."""
    with shop.fresh_database(mongo_uri) as db:
        before = restore(db)
        config = shop.config_for(mongo_uri, db)
        with shop.running(config):
            pass
        yield Upgraded(db, config, before)


@pytest.fixture
def format_1(database: Database) -> Database:
    restore(database)
    return database


def gaps(db: Database) -> list[Document]:
    return list(db.analytics_gaps.find().sort("opened_at"))


def test_an_upgrade_is_recorded_as_one_gap_and_closed_by_a_reconciliation(upgraded: Upgraded) -> None:
    *known, upgrade = gaps(upgraded.db)

    assert known == upgraded.before["analytics_gaps"]
    assert (upgrade["cause"], upgrade.get("further_causes"), upgrade["closed_by"]) == (
        "upgrade",
        None,
        "reconciliation",
    )
    assert upgrade["since"] == RUNNING_AT
    assert upgraded.db.analytics_checkpoint.count_documents({"_id": "checkpoint", "format": 2}) == 1


def test_an_upgrade_changes_no_number_no_revision_and_no_persons_note_of_a_closed_row(upgraded: Upgraded) -> None:
    rows = upgraded.rows()
    same = (*NUMBERS, "revision", "final", "first_reported")

    assert len(upgraded.closed_before()) == 5
    for row in upgraded.closed_before():
        assert {name: rows[row["_id"]].get(name) for name in same} == {name: row.get(name) for name in same}
    for day, text in PERSONS_NOTES.items():
        assert any(row["date"].isoformat()[:10] == day and text in row["notes"] for row in rows.values())


def test_an_upgrade_records_no_event_and_withdraws_none(upgraded: Upgraded) -> None:
    assert list(upgraded.db.business_events.find().sort("_id")) == sorted(
        upgraded.before["business_events"], key=lambda event: event["_id"]
    )


def test_an_upgrade_posts_movements_only_where_a_license_belongs_to_another_customer_now(upgraded: Upgraded) -> None:
    """A reference of 24 hex digits was an ObjectId to the former program, and its license that of a phantom."""
    known = upgraded.before["analytics_ledger"]
    posted = list(upgraded.db.analytics_ledger.find({"_id": {"$gt": len(known)}}))

    assert list(upgraded.db.analytics_ledger.find({"_id": {"$lte": len(known)}})) == known
    assert {line["kind"] for line in posted} <= {"neutral"}
    assert {line["license_id"] for line in posted} <= {"65f0c0ffee65f0c0ffee65f1"}
    assert sum(line["mrr_cents"] for line in posted) == 0


def test_after_an_upgrade_the_totals_the_mirror_and_the_rows_are_verified(upgraded: Upgraded) -> None:
    verification = Verification(upgraded.db, upgraded.config)
    audit = RowAudit(Rollup(upgraded.db, ActiveConfig(upgraded.config)))
    findings = list(audit.findings(date(2026, 10, 29), LAST_CLOSED))

    assert verification.verify_totals().mismatches == []
    assert verification.verify_documents() == []
    assert [(str(one.period), one.problem, one.differences) for one in findings if not one.matches] == []


def test_after_an_upgrade_a_forgotten_person_is_still_forgotten(upgraded: Upgraded) -> None:
    stored = str([list(upgraded.db[name].find()) for name in upgraded.before if name.startswith("analytics_")])

    assert "Da Dimenticare" not in stored
    assert "Testo Esadecimale" in stored


def test_the_start_after_an_upgrade_records_no_gap_and_the_running_day_continues(
    format_1: Database, mongo_uri: str
) -> None:
    config = shop.config_for(mongo_uri, format_1)
    with shop.running(config):
        pass
    rollup = Rollup(format_1, ActiveConfig(config))
    with shop.running(config):
        events = format_1.business_events.count_documents({})
        shop.customer(format_1, "Dopo l'Aggiornamento")
        shop.until(lambda: format_1.business_events.count_documents({}) > events, "the event of a new customer")
        closed = rollup.close_missing(NOON_AFTER)
    row = format_1.historical_analytics.find_one({"date": datetime(2026, 11, 2, tzinfo=UTC), "period_type": "daily"})

    assert [gap["cause"] for gap in gaps(format_1)] == ["first_start", "requested", "upgrade"]
    assert closed == [RUNNING]
    assert row is not None
    assert (row["final"], row["revision"], row["new_customers"]) == (True, 0, 1)
    assert "u@b.it" not in row["notes"]
    assert {row["revision"] for row in format_1.historical_analytics.find()} == {0}


def test_an_upgrade_that_was_interrupted_is_the_same_gap(format_1: Database, mongo_uri: str) -> None:
    format_1.analytics_gaps.insert_one(
        {"cause": "upgrade", "detail": "", "since": None, "opened_at": NOON_AFTER, "closed_at": None}
    )
    with shop.running(shop.config_for(mongo_uri, format_1)):
        pass

    assert [(gap["cause"], gap["closed_at"] is None) for gap in gaps(format_1)][2:] == [("upgrade", False)]


def test_a_revaluation_that_the_former_program_left_pending_is_finished(format_1: Database, mongo_uri: str) -> None:
    """It was killed after the new price of a plan was committed, and before its four licenses were revalued."""
    plan = format_1.plans.find_one_and_update({"name": "pro"}, {"$set": {"price": 9.99}})
    assert plan is not None
    fields = {"fields.price": 9.99, "plan.price_cents": 999, "plan.mrr_cents": 999}
    format_1.analytics_mirror.update_one({"_id": {"k": "plans", "id": plan["_id"]}}, {"$set": fields})
    pending = {"plan_id": plan["_id"], "at": RUNNING_AT, "cause": "82", "origin": "stream", "after": MinKey()}
    format_1.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"sweeps": [pending]}})
    config = shop.config_for(mongo_uri, format_1)
    with shop.running(config):
        pass
    stored = format_1.analytics_checkpoint.find_one({"_id": "checkpoint"})

    assert stored is not None
    assert (stored["revaluations"], stored["totals"]["mrr_cents"]) == ([], 9074 + 4 * 200)
    assert Verification(format_1, config).verify_totals().mismatches == []


def test_rows_that_the_dashboard_replaced_before_an_upgrade_are_restored(format_1: Database, mongo_uri: str) -> None:
    """The dashboard's "save today" replaces a row, with numbers and a note of its own."""
    names = ("date", "period_type", *DASHBOARD_NUMBERS)
    before = {row["date"].date(): row for row in format_1.historical_analytics.find({"period_type": "daily"})}
    for day in (LAST_CLOSED, RUNNING):
        saved = {name: before[day][name] for name in names} | {"mrr": 1.0, "arr": 12.0, "notes": "Nuovo cliente: X"}
        format_1.historical_analytics.replace_one({"_id": before[day]["_id"]}, saved)
    config = shop.config_for(mongo_uri, format_1)
    with shop.running(config):
        closed = Rollup(format_1, ActiveConfig(config)).close_missing(NOON_AFTER)
    after = {row["date"].date(): row for row in format_1.historical_analytics.find({"period_type": "daily"})}

    assert closed == [LAST_CLOSED, RUNNING]
    for day in closed:
        assert (after[day]["mrr"], after[day]["final"], after[day]["revision"]) == (before[day]["mrr"], True, 0)


def test_programs_of_format_1_cannot_read_the_checkpoint_any_more(upgraded: Upgraded) -> None:
    """They know no `format`, but iterate over `sweeps` when they load the checkpoint."""
    stored = upgraded.db.analytics_checkpoint.find_one({"_id": "checkpoint"})

    assert stored is not None
    assert stored["sweeps"] is None
    assert stored["revaluations"] == []


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["verify"],
        ["rollup"],
        ["reconcile"],
        ["forget", "4711", "--yes"],
        ["export", "rows"],
        ["events", "create", "partnership", "Accordo"],
        ["events", "list"],
    ],
)
def test_every_command_refuses_data_of_a_newer_format(command: list[str], format_1: Database, mongo_uri: str) -> None:
    format_1.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"format": checkpoints.FORMAT + 1}})
    before = {name: list(format_1[name].find()) for name in format_1.list_collection_names()}
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": format_1.name}
    result = CliRunner().invoke(main, command, env=environment)

    assert result.exit_code == EXIT_CONFIGURATION, result.output
    assert "has format 3, but this version reads at most format 2; install the newer version again" in result.stderr
    assert {name: list(format_1[name].find()) for name in format_1.list_collection_names()} == before


def test_a_daemon_refuses_data_of_a_newer_format(format_1: Database, mongo_uri: str) -> None:
    format_1.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"format": checkpoints.FORMAT + 1}})
    before = {name: list(format_1[name].find()) for name in format_1.list_collection_names()}
    with shop.process(mongo_uri, format_1.name) as daemon:
        assert daemon.wait() == EXIT_CONFIGURATION

    assert {name: list(format_1[name].find()) for name in format_1.list_collection_names()} == before
