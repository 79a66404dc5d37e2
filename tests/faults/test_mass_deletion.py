"""A wrong deleteMany while the daemon follows: it stops at the limit, asks, and continues as the answer says."""

import random
import threading
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daemon.cli import main
from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.diagnostics import preflight
from daemon.diagnostics.verification import Verification
from daemon.errors import Unavailable
from daemon.leader import term
from daemon.mongo.types import Database
from tests import shop
from tests.faults.injection import (
    assert_nothing_lost_or_duplicated,
    gap,
    insert_shop,
    wait_until_consistent,
    wait_until_ready,
)
from tests.faults.test_lost_collections import cancellations, insert_emitted_shop, wait_for_question
from tests.oracle import assert_ledger_consistent, events, ledger_sums, totals

MANY, DELETED = 64, 30
APPLIED = 12
"""The thirteenth is more than a fifth of 64."""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term, "ASK_AGAIN_SECONDS", 0.5)


def delete(db: Database, collection: str, count: int) -> list[dict[str, object]]:
    """Delete the first documents with one deleteMany; return them."""
    gone = list(db[collection].find().sort("_id", 1).limit(count))
    db[collection].delete_many({"_id": {"$in": [one["_id"] for one in gone]}})
    return gone


def test_a_mass_deletion_waits_for_approval_and_is_then_applied_once(brittle: EmbeddedMongo, shop_db: Database) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)) as run:
        licenses = insert_emitted_shop(db, MANY)
        gone = delete(db, "licenses", DELETED)
        asked = wait_for_question(db)
        assert cancellations(db) == APPLIED
        shop.wait_until_committed(db)  # everything else is applied
        assert cancellations(db) == APPLIED
        shop.until(lambda: run.health.role == "waiting", "the daemon to be not ready")
        _accept(brittle, db)
        wait_until_consistent(db)
        delete(db, "licenses", 5)
        shop.wait_until_committed(db)

    recorded = events(db)
    assert asked["cause"] == "mass_deletion"
    assert f"{DELETED} of {MANY} licenses disappeared" in asked["waiting"]
    assert "12 of these deletions are recorded already" in asked["waiting"]
    assert (asked["missing"]["licenses"], asked["known"]["licenses"]) == (DELETED - APPLIED, MANY - APPLIED)
    assert {recorded["license_cancelled", one["_id"]] for one in gone} == {1}
    assert cancellations(db) == DELETED + 5
    assert gap(db, "mass_deletion")["recovered"]["licenses_delete"] == DELETED - APPLIED
    assert db.analytics_gaps.count_documents({"closed_at": None}) == 0
    assert len(licenses) == MANY
    assert_ledger_consistent(db)


def _accept(mongo: EmbeddedMongo, db: Database) -> None:
    result = _reconcile(mongo, db, "--accept-deletions")
    said = result.output.splitlines()[-1]  # the leader in this process may log before it
    assert (result.exit_code, said) == (0, "accepted; the daemon continues within seconds")


def _reconcile(mongo: EmbeddedMongo, db: Database, option: str) -> Result:
    environment = {"MONGODB_URI": mongo.uri, "MONGODB_DATABASE": db.name}
    return CliRunner().invoke(main, ["reconcile", option], env=environment)


def test_a_mass_deletion_that_is_undone_leaves_the_numbers_as_they_were(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        insert_emitted_shop(db, MANY)
        before = totals(db)
        gone = delete(db, "licenses", DELETED)
        wait_for_question(db)
        db.licenses.insert_many(gone)
        wait_until_consistent(db)
        assert totals(db) == before
        shop.wait_until_committed(db)

    assert cancellations(db) == 0  # a license that returns within the replacement window was not canceled
    assert gap(db, "mass_deletion")["recovered"] == {"licenses_insert": APPLIED}
    assert_ledger_consistent(db)


def test_a_shop_of_twelve_is_asked_about_the_sixth_customer_although_licenses_are_deleted_between(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        licenses = insert_emitted_shop(db, 12)
        before = totals(db)
        for license in licenses[:6]:
            found = db.licenses.find_one_and_delete({"_id": license})
            assert found is not None
            db.customers.delete_one({"_id": found["customer_id"]})
        asked = wait_for_question(db)

    assert "6 of 12 licenses disappeared" in asked["waiting"]
    assert "6 of 13 customers disappeared" in asked["waiting"]
    assert cancellations(db) == 5
    assert totals(db)["customers"] == before["customers"] - 5


def test_check_verify_and_the_dry_run_name_the_question(brittle: EmbeddedMongo, shop_db: Database) -> None:
    db = shop_db
    config = shop.config_for(brittle.uri, db)
    with shop.running(config):
        insert_emitted_shop(db, 12)
        gone = delete(db, "licenses", 7)
        wait_for_question(db)
        checked = {result.subject: result for result in preflight.run_checks(db)}
        with pytest.raises(Unavailable) as refused:
            Verification(db, config, wait=lambda _seconds: None).verify_totals()
        shown = _reconcile(brittle, db, "--dry-run")

    assert "7 of 12 licenses disappeared" in checked["deletions"].found
    assert "reconcile --dry-run" in checked["deletions"].hint
    assert "the daemon waits for approval: 7 of 12 licenses disappeared" in str(refused.value)
    lines = shown.output.splitlines()
    assert lines[0].startswith("waiting for approval: 7 of 12 licenses disappeared")
    assert lines[1:3] == [f"licenses {one['_id']}: delete" for one in gone[5:]]
    assert lines[3].startswith("needs approval: 7 of 12 licenses disappeared")


def test_an_approval_that_nothing_asked_for_changes_nothing(brittle: EmbeddedMongo, shop_db: Database) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        insert_emitted_shop(db, 6)
        result = _reconcile(brittle, db, "--accept-deletions")
    opened = db.analytics_gaps.insert_one({"cause": "requested", "closed_at": None, "accept_deletions": False})
    again = _reconcile(brittle, db, "--accept-deletions")

    assert (result.exit_code, again.exit_code) == (1, 1)
    answer = "no deletions are waiting for approval; nothing was changed"
    assert answer in result.output.splitlines()  # among them is the log of the daemon, which runs in this process
    assert db.analytics_gaps.count_documents({"_id": opened.inserted_id, "accept_deletions": False}) == 1


def test_kills_at_random_moments_stop_at_the_same_deletion(brittle: EmbeddedMongo, shop_db: Database) -> None:
    db, chance = shop_db, random.Random(3)
    licenses = insert_shop(db, MANY)
    with shop.process(brittle.uri, db.name, CHATELLO_STREAM__BATCH_SIZE="2") as daemon:
        wait_until_ready(daemon)
        writer = threading.Thread(target=_delete_slowly, args=(db, licenses))
        writer.start()
        for _ in range(6):
            threading.Event().wait(chance.uniform(0.6, 1.5))  # the moment of the kill, not a wait for something
            daemon.kill()
            daemon.start()
        writer.join()
        shop.until(lambda: f"{MANY} of {MANY}" in wait_for_question(db)["waiting"], "the question about all", 70)

    recorded = events(db)
    assert [one for one in licenses if recorded["license_cancelled", one]] == licenses[:APPLIED]
    assert ledger_sums(db) == totals(db)


def _delete_slowly(db: Database, licenses: list[Any]) -> None:
    for license in licenses:
        db.licenses.delete_one({"_id": license})
        threading.Event().wait(0.1)


def test_deletions_below_the_limit_are_applied_without_a_question(brittle: EmbeddedMongo, shop_db: Database) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        insert_emitted_shop(db, 12)
        delete(db, "licenses", 5)
        shop.wait_until_committed(db)

    assert cancellations(db) == 5
    assert db.analytics_gaps.count_documents({"cause": "mass_deletion"}) == 0
    assert_nothing_lost_or_duplicated(db)
