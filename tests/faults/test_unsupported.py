"""Servers and collections that the daemon cannot follow: the start and `check` name them, with a fix."""

from collections.abc import Callable
from typing import Any

import pytest

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.diagnostics import preflight, requirements
from daemon.errors import ConfigurationError
from daemon.mongo.types import Database
from rules.model.events import EventType
from rules.settings.custom_rules import CustomRule
from tests import shop
from tests.system.test_process import run_once

KINDS: dict[str, tuple[Callable[[Database, str], Any], str]] = {
    "view": (lambda db, name: db.create_collection(name, viewOn="other", pipeline=[]), "is a view"),
    "capped": (lambda db, name: db.create_collection(name, capped=True, size=100_000), "is a capped collection"),
    "timeseries": (
        lambda db, name: db.create_collection(name, timeseries={"timeField": "at"}),
        "is a time series collection",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["customers", "licenses", "plans", "payments", "business_events"])
def test_a_collection_that_cannot_be_followed_is_refused(database: Database, kind: str, name: str) -> None:
    create, problem = KINDS[kind]
    create(database, name)

    with pytest.raises(ConfigurationError, match=f"{database.name}.{name} {problem}"):
        requirements.require(database)
    found = {result.subject: result for result in preflight.run_checks(database)}[name]

    assert problem.removeprefix("is ") in found.found
    assert found.hint


def test_check_and_run_name_the_collection(mongo_uri: str, database: Database) -> None:
    database.create_collection("licenses", viewOn="other", pipeline=[])
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}

    checked, started = run_once("check", **environment), run_once("run", **environment)

    assert checked[0] == 1
    assert "licenses: a view, which has no change stream" in checked[1]
    assert started[0] == 78
    assert f"{database.name}.licenses is a view, which has no change stream" in started[1]


def test_a_custom_rule_may_watch_a_capped_collection_but_not_a_view(database: Database) -> None:
    database.create_collection("log", capped=True, size=100_000)
    database.create_collection("seen", viewOn="log", pipeline=[])
    rules = [CustomRule(name, name, EventType.PARTNERSHIP, "text") for name in ("log", "seen")]

    requirements.require(database, rules[:1])
    with pytest.raises(ConfigurationError, match=f"{database.name}.seen is a view"):
        requirements.require(database, rules)


def test_a_mongos_is_accepted_and_sharded_collections_of_the_daemon_are_found(database: Database) -> None:
    """No mongos runs here: the documents have the form that one stores."""
    config = database.client.get_database("config")["collections"]
    names = [f"{database.name}.{name}" for name in ("analytics_ledger", "business_events", "licenses")]
    config.insert_many([{"_id": name, "key": {"_id": "hashed"}, "unique": False} for name in names])
    try:
        assert requirements.sharded(database, requirements.FOLLOWED) == ["business_events", "licenses"]
    finally:
        config.delete_many({"_id": {"$in": names}})
    assert requirements.server_problem({"msg": "isdbgrid"}) == ""
    assert "not a replica set" in requirements.server_problem({})


def test_a_direct_connection_is_refused_to_a_secondary_and_a_problem_of_failover_to_a_primary() -> None:
    with EmbeddedMongo(members=3) as three:
        primary = three.primary()
        secondary = next(member for member in three.members if member is not primary)
        direct = {member.address: f"mongodb://{member.address}/?directConnection=true" for member in three.members}

        refused = run_once("run", MONGODB_URI=direct[secondary.address], MONGODB_DATABASE="x")
        checked = run_once("check", MONGODB_URI=direct[primary.address], MONGODB_DATABASE="x")

        with shop.process(direct[primary.address], "x") as daemon:
            shop.until(lambda: any("daemon.ready" in line for line in daemon.lines), "the daemon to be ready")

    assert refused[0] == 78
    assert f"leads only to {secondary.address}, a secondary" in refused[1]
    assert checked[0] == 1
    assert "directConnection=true in mongodb.uri prevents it" in checked[1]
