"""Writes that MongoDB rejects permanently: the daemon is not ready, backs off, and resumes once they are accepted."""

import json
from typing import Any

from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events
from tests.system.test_process import get, ready


def refusals(daemon: shop.Process) -> list[dict[str, Any]]:
    logged = [json.loads(line) for line in daemon.lines if line.startswith("{")]
    return [line for line in logged if line["event"] == "database.unavailable"]


def test_a_daemon_whose_commits_are_rejected_is_not_ready_even_with_an_open_stream(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    database.create_collection("business_events", validator={"never": {"$exists": True}})
    with shop.process(mongo_uri, database.name) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        license = shop.license(database, shop.customer(database, "A"), plans["pro"])
        wait_for(lambda: len(refusals(daemon)) >= 3, "three attempts")
        seen = set()
        while len(refusals(daemon)) < 5:
            seen.add(get(daemon.port, "/readyz")[0])
        reason = get(daemon.port, "/readyz")[1]
        database.command("collMod", "business_events", validator={})
        wait_for(lambda: ready(daemon.port), "the daemon to be ready again")
        wait_for(lambda: events(database)["license_created", license] == 1, "the license event")

    assert seen == {503}
    assert "Document failed validation" in reason
    assert [line["retry_seconds"] for line in refusals(daemon)[:5]] == [0.2, 0.5, 1, 2, 5]
    assert_ledger_consistent(database)
    assert_each_event_once(database)
