"""A dropped collection is not recorded as cancellations: the daemon waits for approval, and resumes once restored."""

from typing import Any

import pytest

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.leader import term
from daemon.mongo.types import Database
from daemon.pipeline.reconciliation import Reconciliation
from daemon.runtime.health import Health
from daemon.store import gaps
from tests import shop
from tests.faults.injection import (
    assert_nothing_lost_or_duplicated,
    gap,
    wait_until_consistent,
    wait_until_ready,
)
from tests.oracle import assert_ledger_consistent, events, totals

MANY = 30
"""More deletions than are applied without approval (5, and a fifth of the collection)."""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term, "ASK_AGAIN_SECONDS", 0.5)


def insert_emitted_shop(db: Database, licenses: int = MANY) -> list[Any]:
    """Insert licenses while the daemon follows the stream, and wait for their events; return the license ids."""
    plans = list(shop.plans(db).values())
    licenses_made = [shop.license(db, shop.customer(db, f"C{n}"), plans[n % len(plans)]) for n in range(licenses)]
    shop.wait_until_committed(db)
    return licenses_made


def wait_for_question(db: Database) -> dict[str, Any]:
    """Wait until the daemon asks for approval; return the waiting gap."""
    shop.until(lambda: db.analytics_gaps.count_documents({"waiting": {"$type": "string"}}) == 1, "the question", 20)
    found = db.analytics_gaps.find_one({"waiting": {"$type": "string"}})
    assert found is not None
    return found


def cancellations(db: Database) -> int:
    return sum(count for (kind, _), count in events(db).items() if kind == "license_cancelled")


@pytest.mark.parametrize("lost", ["customers", "licenses"])
def test_a_dropped_collection_restored_in_two_steps_emits_no_cancellation(
    brittle: EmbeddedMongo, shop_db: Database, lost: str
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)) as run:
        insert_emitted_shop(db)
        before, totals_before = events(db), totals(db)
        saved = list(db[lost].find())
        db[lost].drop()
        asked = wait_for_question(db)
        shop.until(lambda: run.health.role == "waiting", "the daemon to be not ready")
        assert totals(db) == totals_before
        db[lost].insert_many(saved[:-3])
        shop.until(lambda: gap(db, "drop").get("missing") == {lost: 3}, "a reconciliation during the restore", 30)
        db[lost].insert_many(saved[-3:])
        wait_until_consistent(db)
        assert events(db) == before
        shop.wait_until_committed(db)

    assert asked["cause"] == "drop"
    assert f"of {len(saved)} {lost} disappeared" in asked["waiting"]
    assert cancellations(db) == 0
    assert totals(db)["mrr_cents"] == totals_before["mrr_cents"]
    assert_nothing_lost_or_duplicated(db)


def test_an_intended_drop_is_applied_once_an_operator_approves_it(brittle: EmbeddedMongo, shop_db: Database) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        licenses = insert_emitted_shop(db)
        db.licenses.drop()
        wait_for_question(db)
        assert gaps.accept_deletions(db)
        wait_until_consistent(db)
        shop.wait_until_committed(db)

    recorded = events(db)
    assert {recorded["license_cancelled", one] for one in licenses} == {1}
    assert totals(db)["active_licenses"] == 0
    assert gap(db, "drop")["recovered"] == {"licenses_delete": MANY}
    assert_ledger_consistent(db)


def test_the_role_stays_waiting_during_further_reconciliations(
    brittle: EmbeddedMongo, shop_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reconciliation of a large shop takes minutes; a role that changes back during it would never raise an alert."""
    db = shop_db
    roles: list[str] = []
    set_role = Health.set_role

    def recorded(health: Health, role: str, now: float, reason: str = "") -> None:
        roles.append(role)
        set_role(health, role, now, reason)

    with shop.running(shop.config_for(brittle.uri, db)) as run:
        insert_emitted_shop(db)
        saved = list(db.licenses.find())
        db.licenses.drop()
        wait_for_question(db)
        monkeypatch.setattr(Health, "set_role", recorded)
        runs = _count_runs(monkeypatch)
        shop.until(lambda: len(runs) >= 2, "two further reconciliations")
        asked, reason = list(roles), run.health.reason
        db.licenses.insert_many(saved)
        wait_until_consistent(db)
        shop.wait_until_committed(db)

    assert set(asked) == {"waiting"}
    assert "disappeared" in reason
    assert roles[-1] == "leader"


def _count_runs(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return a list that grows at the end of each reconciliation; a write after that is not part of it."""
    runs: list[None] = []
    run = Reconciliation.run

    def counted(self: Reconciliation, *arguments: Any) -> Any:
        try:
            return run(self, *arguments)
        finally:
            runs.append(None)

    monkeypatch.setattr(Reconciliation, "run", counted)
    return runs


def test_a_collection_renamed_away_and_back_emits_no_cancellation(brittle: EmbeddedMongo, shop_db: Database) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        insert_emitted_shop(db)
        before = events(db)
        db.licenses.rename("licenses_away")
        wait_for_question(db)
        db.licenses_away.rename("licenses")
        wait_until_consistent(db)
        assert events(db) == before
        shop.wait_until_committed(db)

    assert gap(db, "rename")["closed_at"] is not None
    assert_nothing_lost_or_duplicated(db)


def test_a_small_collection_renamed_away_for_a_moment_emits_no_cancellation(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        insert_emitted_shop(db, 5)
        before = events(db)
        db.licenses.rename("licenses_away")
        wait_for_question(db)
        db.licenses_away.rename("licenses")
        wait_until_consistent(db)
        assert events(db) == before

    assert_nothing_lost_or_duplicated(db)


def test_a_small_collection_that_stays_dropped_is_applied_by_the_second_reconciliation(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        insert_emitted_shop(db, 5)
        db.licenses.drop()
        wait_until_consistent(db)

    assert cancellations(db) == 5
    assert_ledger_consistent(db)


def test_after_a_database_is_dropped_the_daemon_starts_again_from_an_empty_shop(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.process(brittle.uri, db.name) as daemon:
        wait_until_ready(daemon)
        insert_emitted_shop(db, 5)
        db.client.drop_database(db.name)
        wait_until_consistent(db, daemon)
        shop.until(lambda: "due" in db.analytics_mirror.index_information(), "the daemon's indexes", 20)
        shop.until(lambda: totals(db) == dict.fromkeys(totals(db), 0) != {}, "an empty shop", 20)
        insert_emitted_shop(db, 5)
        shop.wait_until_committed(db)
        wait_until_consistent(db, daemon)
        daemon.stop()

    assert db.analytics_gaps.count_documents({}) >= 1
    assert db.analytics_gaps.count_documents({"closed_at": None}) == 0
    assert_nothing_lost_or_duplicated(db)
