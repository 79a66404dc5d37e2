"""A collection that vanishes is not a thousand cancellations: the daemon stops, asks, and heals when it comes back."""

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
    assert_nothing_lost_or_doubled,
    gap,
    is_ready,
    marked,
    settled,
)
from tests.oracle import assert_books_balance, events, totals

MANY = 30
"""More than may disappear without a question (20, and a fifth)."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term, "ASK_AGAIN_SECONDS", 0.5)


def told_stock(db: Database, licenses: int = MANY) -> list[Any]:
    """Licences made while the daemon watches, so that every creation is told."""
    plans = list(shop.plans(db).values())
    made = [shop.license(db, shop.customer(db, f"C{n}"), plans[n % len(plans)]) for n in range(licenses)]
    marked(db)
    return made


def questioned(db: Database) -> dict[str, Any]:
    """Wait until the daemon asks; the gap that waits."""
    shop.until(lambda: db.analytics_gaps.count_documents({"waiting": {"$type": "string"}}) == 1, "the question", 20)
    found = db.analytics_gaps.find_one({"waiting": {"$type": "string"}})
    assert found is not None
    return found


def cancellations(db: Database) -> int:
    return sum(count for (kind, _), count in events(db).items() if kind == "license_cancelled")


@pytest.mark.parametrize("lost", ["customers", "licenses"])
def test_a_dropped_collection_that_is_restored_in_two_steps_heals_without_a_cancellation(
    brittle: EmbeddedMongo, shop_db: Database, lost: str
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)) as run:
        told_stock(db)
        before, books = events(db), totals(db)
        saved = list(db[lost].find())
        db[lost].drop()
        asked = questioned(db)
        shop.until(lambda: run.progress.role == "waiting", "the daemon to be not ready")
        assert totals(db) == books
        db[lost].insert_many(saved[:-3])
        shop.until(lambda: gap(db, "drop").get("missing") == {lost: 3}, "a look in the middle of the restore", 30)
        db[lost].insert_many(saved[-3:])
        settled(db)
        assert events(db) == before
        marked(db)

    assert asked["cause"] == "drop"
    assert f"of {len(saved)} {lost} disappeared" in asked["waiting"]
    assert cancellations(db) == 0
    assert totals(db)["mrr_cents"] == books["mrr_cents"]
    assert_nothing_lost_or_doubled(db)


def test_a_drop_that_is_meant_goes_on_once_a_person_accepts_it(brittle: EmbeddedMongo, shop_db: Database) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        licenses = told_stock(db)
        db.licenses.drop()
        questioned(db)
        assert gaps.accept_deletions(db)
        settled(db)
        marked(db)

    told = events(db)
    assert {told["license_cancelled", one] for one in licenses} == {1}
    assert totals(db)["active_licenses"] == 0
    assert gap(db, "drop")["recovered"] == {"licenses_delete": MANY}
    assert_books_balance(db)


def test_a_question_stands_while_it_is_looked_at_again(
    brittle: EmbeddedMongo, shop_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large shop is looked at for minutes: a role that came and went would never be an alert."""
    db = shop_db
    roles: list[str] = []
    turn = Health.set_role

    def heard(progress: Health, role: str, now: float, reason: str = "") -> None:
        roles.append(role)
        turn(progress, role, now, reason)

    with shop.running(shop.config_for(brittle.uri, db)) as run:
        told_stock(db)
        saved = list(db.licenses.find())
        db.licenses.drop()
        questioned(db)
        monkeypatch.setattr(Health, "turn", heard)
        looked = _looks(monkeypatch)
        shop.until(lambda: len(looked) >= 2, "two further looks")
        asked, reason = list(roles), run.progress.reason
        db.licenses.insert_many(saved)
        settled(db)
        marked(db)

    assert set(asked) == {"waiting"}
    assert "disappeared" in reason
    assert roles[-1] == "leader"


def _looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows with each look at the source that is over: what is written then is not written into one."""
    looked: list[None] = []
    run = Reconciliation.run

    def counted(self: Reconciliation, *given: Any) -> Any:
        try:
            return run(self, *given)
        finally:
            looked.append(None)

    monkeypatch.setattr(Reconciliation, "run", counted)
    return looked


def test_a_collection_renamed_away_and_back_is_healed_without_a_cancellation(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        told_stock(db)
        before = events(db)
        db.licenses.rename("licenses_away")
        questioned(db)
        db.licenses_away.rename("licenses")
        settled(db)
        assert events(db) == before
        marked(db)

    assert gap(db, "rename")["closed_at"] is not None
    assert_nothing_lost_or_doubled(db)


def test_a_small_collection_renamed_away_for_a_moment_is_not_taken_for_deleted(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        told_stock(db, 5)
        before = events(db)
        db.licenses.rename("licenses_away")
        questioned(db)
        db.licenses_away.rename("licenses")
        settled(db)
        assert events(db) == before

    assert_nothing_lost_or_doubled(db)


def test_a_small_collection_that_stays_away_is_believed_at_the_second_look(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        told_stock(db, 5)
        db.licenses.drop()
        settled(db)

    assert cancellations(db) == 5
    assert_books_balance(db)


def test_a_database_dropped_under_the_daemon_begins_anew(brittle: EmbeddedMongo, shop_db: Database) -> None:
    db = shop_db
    with shop.process(brittle.uri, db.name) as daemon:
        is_ready(daemon)
        told_stock(db, 5)
        db.client.drop_database(db.name)
        settled(db, daemon)
        shop.until(lambda: "due" in db.analytics_mirror.index_information(), "the daemon's indexes", 20)
        shop.until(lambda: totals(db) == dict.fromkeys(totals(db), 0) != {}, "an empty shop", 20)
        told_stock(db, 5)
        marked(db)
        settled(db, daemon)
        daemon.stop()

    assert db.analytics_gaps.count_documents({}) >= 1
    assert db.analytics_gaps.count_documents({"closed_at": None}) == 0
    assert_nothing_lost_or_doubled(db)
