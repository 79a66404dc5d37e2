"""Privileges: the shipped role is sufficient and minimal; a missing privilege is reported in one sentence."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.diagnostics.preflight import DELIVERY_PRIVILEGES, REQUIRED_PRIVILEGES, run_checks
from daemon.mongo.types import Database
from tests import shop
from tests.access import ROLE, database_with_role, privileges, uri_of
from tests.oracle import assert_ledger_consistent, events
from tests.system.test_process import ready, run_once

NAME = "guarded_shop"


@pytest.fixture
def admin(guarded: EmbeddedMongo) -> Iterator[Database]:
    with database_with_role(guarded, NAME) as db:
        yield db


def without(collection: str, action: str) -> list[dict[str, Any]]:
    """Return the shipped privileges without one action."""
    return [
        {**p, "actions": [a for a in p["actions"] if (p["collection"], a) != (collection, action)]}
        for p in ROLE["privileges"]
    ]


def test_the_shipped_role_is_enough_for_everything(guarded: EmbeddedMongo, admin: Database) -> None:
    plans = shop.plans(admin)
    uri = uri_of(guarded, "analytics", "analytics", NAME)
    with shop.process(uri, NAME) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        license = shop.license(admin, shop.customer(admin, "A"), plans["pro"])
        wait_for(lambda: events(admin)["license_created", license] == 1, "the license event")
        admin.business_events.insert_one({"event_type": "license_created", "license_id": license, "metadata": {}})
        wait_for(lambda: events(admin)["license_created", license] == 1, "our event to be withdrawn")
        admin.licenses.update_one({"_id": license}, {"$set": {"status": "frozen"}})
        wait_for(lambda: admin.analytics_dead_letters.count_documents({}) == 1, "the dead letter")
        admin.licenses.update_one({"_id": license}, {"$set": {"status": "active"}})
        customer = admin.customers.find_one({})
        assert customer is not None
        erased = ["forget", str(customer["_id"]), "--yes"]
        for command in (
            ["export", "rows"],
            ["backfill"],
            erased,
            ["check"],
            ["rollup"],
            ["verify", "--documents"],
            ["reconcile"],
            ["dead-letters", "list"],
        ):
            status, output = run_once(*command, MONGODB_URI=uri, MONGODB_DATABASE=NAME)
            assert status == 0, (command, output)
        wait_for(lambda: admin.analytics_gaps.count_documents({"closed_at": None}) == 0, "the reconciliation")
        assert daemon.stop() == 0
    assert_ledger_consistent(admin)


def test_the_shipped_role_grants_exactly_what_check_requires() -> None:
    shipped = {p["collection"]: tuple(p["actions"]) for p in ROLE["privileges"]}

    assert shipped == {**REQUIRED_PRIVILEGES, **DELIVERY_PRIVILEGES}


PRIVILEGES = [(p["collection"], action) for p in ROLE["privileges"] for action in p["actions"]]


@pytest.mark.parametrize(("collection", "action"), PRIVILEGES)
def test_check_names_each_missing_privilege_and_where_to_grant_it(
    guarded: EmbeddedMongo, admin: Database, collection: str, action: str
) -> None:
    shop.plans(admin)
    admin.command("updateRole", ROLE["role"], privileges=privileges(without(collection, action), NAME))
    client: MongoClient[dict[str, Any]]
    with MongoClient(uri_of(guarded, "analytics", "analytics", NAME)) as client:
        needed = {**REQUIRED_PRIVILEGES, **DELIVERY_PRIVILEGES}
        failing = [finding for finding in run_checks(client[NAME], privileges=needed) if finding.hint]

    assert failing, "check found nothing"
    assert any(action in finding.hint and collection in finding.hint for finding in failing), failing


def test_check_without_a_privilege_prints_a_fix_and_exits_with_1(guarded: EmbeddedMongo, admin: Database) -> None:
    shop.plans(admin)
    admin.command("updateRole", ROLE["role"], privileges=privileges(without("analytics_ledger", "insert"), NAME))
    uri = uri_of(guarded, "analytics", "analytics", NAME)
    status, output = run_once("check", MONGODB_URI=uri, MONGODB_DATABASE=NAME)

    assert status == 1
    assert f"grant insert on {NAME}.analytics_ledger (deploy/mongodb)" in output
    assert "Traceback" not in output


def test_a_wrong_set_name_is_reported_in_one_sentence_with_status_78(mongo_uri: str) -> None:
    wrong = mongo_uri.replace("replicaSet=embedded", "replicaSet=other")
    status, output = run_once("run", MONGODB_URI=wrong, CHATELLO_MONGODB__TIMEOUT_SECONDS="3")

    assert (status, output.count("\n")) == (78, 1), output
    assert "replicaSet=" in output


def test_a_server_that_does_not_answer_is_temporary_not_a_wrong_configuration() -> None:
    with EmbeddedMongo() as silent:
        silent.members[0].send(signal.SIGSTOP)
        status, output = run_once("run", MONGODB_URI=silent.uri, CHATELLO_MONGODB__TIMEOUT_SECONDS="2")

    assert (status, output.count("\n")) == (75, 1), output
    assert output.startswith("chatello-analytics: the database does not answer: ")
    assert "Topology" not in output


def test_the_shipped_role_is_enough_for_rules_of_ones_own_and_for_counting_calls(
    guarded: EmbeddedMongo, admin: Database, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    rule = """[[rules.custom]]\nname = "{0}"\ncollection = "tickets"\nevent_type = "support_ticket"
text = "{0}: {{subject}}"\nmatch = {{ level = "{0}" }}\n"""
    file.write_text(rule.format("low") + rule.format("high"))
    uri = uri_of(guarded, "analytics", "analytics", NAME)
    admin.usage_logs.create_index("created_at")
    counted, tickets = {"memory.milestones.api_calls": 0}, {"event_type": "support_ticket"}
    with shop.process(uri, NAME, ("--config", str(file))) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        admin.tickets.insert_many([{"level": "low", "subject": "A"}, {"level": "high", "subject": "B"}])
        wait_for(lambda: admin.business_events.count_documents(tickets) == 2, "both tickets")
        wait_for(lambda: admin.analytics_checkpoint.count_documents(counted) == 1, "the calls to be counted")
    status, output = run_once("check", "--config", str(file), MONGODB_URI=uri, MONGODB_DATABASE=NAME)

    assert {event["description"] for event in admin.business_events.find(tickets)} == {"low: A", "high: B"}
    assert "custom rules: low on tickets, high on tickets" in output, (status, output)


def test_pruning_the_ledger_needs_one_more_privilege_which_check_names(guarded: EmbeddedMongo, admin: Database) -> None:
    shop.plans(admin)
    environment = {
        "MONGODB_URI": uri_of(guarded, "analytics", "analytics", NAME),
        "MONGODB_DATABASE": NAME,
        "CHATELLO_RETENTION__LEDGER_DAYS": "400",
    }
    _, lacking = run_once("check", **environment)
    more = [
        {**p, "actions": [*p["actions"], "remove"]} if p["collection"] == "analytics_ledger" else p
        for p in ROLE["privileges"]
    ]
    admin.command("updateRole", ROLE["role"], privileges=privileges(more, NAME))
    _, enough = run_once("check", **environment)

    assert "PROBLEM privileges on analytics_ledger: missing: remove" in lacking
    assert "ok      privileges on analytics_ledger: complete" in enough
