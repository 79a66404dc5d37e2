"""Rights: the shipped role is enough and no larger than it must be; what is missing or lost is said in one sentence."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from daemon.connection import CODEC
from daemon.embedded import EmbeddedMongo, wait_for
from daemon.readiness import NEEDED
from tests import shop
from tests.oracle import assert_books_balance, events
from tests.shop import ROOT
from tests.system.test_process import ready, run_once

Db = Database[dict[str, Any]]
ROLE: dict[str, Any] = json.loads((ROOT / "deploy" / "mongodb" / "role.json").read_text())
NAME = "guarded_shop"


@pytest.fixture
def admin(guarded: EmbeddedMongo) -> Iterator[Db]:
    """The shop's database in an administrator's hands, with a user `analytics` of the shipped role."""
    client: MongoClient[dict[str, Any]]
    with MongoClient(_uri(guarded, "root", "root", "admin"), tz_aware=True) as client:
        db: Db = client.get_database(NAME, codec_options=CODEC)
        db.command("createRole", ROLE["role"], privileges=privileges(ROLE["privileges"]), roles=[])
        db.command("createUser", "analytics", pwd="analytics", roles=[ROLE["role"]])
        yield db
        db.command("dropUser", "analytics")
        db.command("dropRole", ROLE["role"])
        client.drop_database(NAME)


def privileges(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"resource": {"db": NAME, "collection": p["collection"]}, "actions": p["actions"]} for p in given]


def _uri(mongo: EmbeddedMongo, user: str, password: str, source: str) -> str:
    return mongo.uri.replace("mongodb://", f"mongodb://{user}:{password}@") + f"&authSource={source}"


def without(collection: str, action: str) -> list[dict[str, Any]]:
    """The shipped privileges less one action."""
    return [
        {**p, "actions": [a for a in p["actions"] if (p["collection"], a) != (collection, action)]}
        for p in ROLE["privileges"]
    ]


def test_the_shipped_role_is_enough_for_everything(guarded: EmbeddedMongo, admin: Db) -> None:
    plans = shop.plans(admin)
    uri = _uri(guarded, "analytics", "analytics", NAME)
    with shop.process(uri, NAME) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        license = shop.license(admin, shop.customer(admin, "A"), plans["pro"])
        wait_for(lambda: events(admin)["license_created", license] == 1, "the licence")
        admin.business_events.insert_one({"event_type": "license_created", "license_id": license, "metadata": {}})
        wait_for(lambda: events(admin)["license_created", license] == 1, "ours to be withdrawn")
        admin.licenses.update_one({"_id": license}, {"$set": {"status": "frozen"}})
        wait_for(lambda: admin.analytics_dead_letters.count_documents({}) == 1, "the dead letter")
        admin.licenses.update_one({"_id": license}, {"$set": {"status": "active"}})
        for command in (["check"], ["rollup"], ["verify", "--documents"], ["reconcile"], ["dead-letters", "list"]):
            status, output = run_once(*command, MONGODB_URI=uri, MONGODB_DATABASE=NAME)
            assert status == 0, (command, output)
        wait_for(lambda: admin.analytics_gaps.count_documents({"closed_at": None}) == 0, "the repair")
        assert daemon.stop() == 0
    assert_books_balance(admin)


def test_the_shipped_role_grants_just_what_check_asks_for() -> None:
    granted = {p["collection"]: tuple(p["actions"]) for p in ROLE["privileges"]}

    assert granted == NEEDED


MISSING = [
    ("", "changeStream"),
    ("", "find"),
    ("analytics_ledger", "insert"),
    ("analytics_mirror", "update"),
    ("analytics_checkpoint", "update"),
    ("business_events", "insert"),
    ("historical_analytics", "update"),
]


@pytest.mark.parametrize(("collection", "action"), MISSING)
def test_check_names_each_right_that_is_missing(
    guarded: EmbeddedMongo, admin: Db, collection: str, action: str
) -> None:
    shop.plans(admin)
    admin.command("updateRole", ROLE["role"], privileges=privileges(without(collection, action)))
    uri = _uri(guarded, "analytics", "analytics", NAME)
    status, output = run_once("check", MONGODB_URI=uri, MONGODB_DATABASE=NAME)

    assert status == 1
    told = output if collection else output.replace("not authorized on", f"{action} ")
    assert action in told
    assert collection in output
    assert "Traceback" not in output


def test_the_wrong_set_name_is_one_sentence_and_status_78(mongo_uri: str) -> None:
    wrong = mongo_uri.replace("replicaSet=embedded", "replicaSet=other")
    status, output = run_once("run", MONGODB_URI=wrong, CHATELLO_MONGODB__TIMEOUT_SECONDS="3")

    assert (status, output.count("\n")) == (78, 1), output
    assert "replicaSet=" in output


def test_the_shipped_role_is_enough_for_rules_of_ones_own_and_for_counting_calls(
    guarded: EmbeddedMongo, admin: Db, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    rule = """[[rules.custom]]\nname = "{0}"\ncollection = "tickets"\nevent_type = "support_ticket"
text = "{0}: {{subject}}"\nmatch = {{ level = "{0}" }}\n"""
    file.write_text(rule.format("low") + rule.format("high"))
    uri = _uri(guarded, "analytics", "analytics", NAME)
    admin.usage_logs.create_index("created_at")
    counted = {"memory.milestones.api_calls": 0}
    with shop.process(uri, NAME, ("--config", str(file))) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        admin.tickets.insert_many([{"level": "low", "subject": "A"}, {"level": "high", "subject": "B"}])
        wait_for(lambda: admin.business_events.count_documents({}) == 2, "both tickets")
        wait_for(lambda: admin.analytics_checkpoint.count_documents(counted) == 1, "the calls to be counted")
    status, output = run_once("check", "--config", str(file), MONGODB_URI=uri, MONGODB_DATABASE=NAME)

    assert {event["description"] for event in admin.business_events.find()} == {"low: A", "high: B"}
    assert "rules of your own: low on tickets, high on tickets" in output, (status, output)
