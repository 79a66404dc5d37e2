"""Writes that MongoDB refuses for good: the daemon says so, rests between attempts, and goes on once they are taken."""

import json
from typing import Any

from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from tests import shop
from tests.oracle import assert_books_balance, assert_each_event_once, events
from tests.system.test_process import get, ready


def refusals(daemon: shop.Process) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in daemon.lines if line.startswith("{")]
    return [line for line in told if line["event"] == "database.unavailable"]


def test_a_daemon_whose_commits_are_refused_is_not_ready_however_well_its_stream_opens(
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
        told = get(daemon.port, "/readyz")[1]
        database.command("collMod", "business_events", validator={})
        wait_for(lambda: ready(daemon.port), "the daemon to be ready again")
        wait_for(lambda: events(database)["license_created", license] == 1, "the licence")

    assert seen == {503}
    assert "Document failed validation" in told
    assert [line["retry_seconds"] for line in refusals(daemon)[:5]] == [0.2, 0.5, 1, 2, 5]
    assert_books_balance(database)
    assert_each_event_once(database)
