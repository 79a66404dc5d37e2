"""The `events` command: create, list and tail."""

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from rules import business_days
from tests import shop
from tests.system.test_process import run_once

OURS = ObjectId()


def insert_event(db: Database, description: str, at: datetime | None = None, **more: Any) -> Any:
    event = {"event_type": "new_customer", "event_date": at or clock.now(), "description": description, **more}
    return db.business_events.insert_one(event).inserted_id


def call(uri: str, db: Database, *arguments: str) -> tuple[int, str]:
    return run_once("events", *arguments, MONGODB_URI=uri, MONGODB_DATABASE=db.name, PYTHONIOENCODING="utf-8")


def test_the_list_shows_the_newest_events_each_on_one_line_whatever_they_contain(
    mongo_uri: str, database: Database
) -> None:
    now = clock.now()
    insert_event(database, "troppo vecchio", now - timedelta(days=30))
    insert_event(database, "Nuovo cliente: Ada\n\u202e\x1b[31m<script>", datetime(2026, 7, 1, tzinfo=UTC))
    for n in range(3):
        insert_event(database, f"C{n}", now - timedelta(minutes=10 - n))
    insert_event(database, "altro", now - timedelta(minutes=5), event_type="mystery", metadata="no map")
    status, output = call(mongo_uri, database, "list", "--limit", "3")

    assert status == 0
    assert [line[20:].partition("T  ")[2] for line in output.splitlines()] == [
        "new_customer        🎉 C1",
        "new_customer        🎉 C2",
        "mystery             🔹 altro",
    ]
    status, output = call(mongo_uri, database, "list", "--days", "9000", "--type", "new_customer")
    assert len(output.splitlines()) == 5
    assert "2026-07-01 02:00:00 CEST  new_customer        🎉 Nuovo cliente: Ada [31m‹script›" in output


def test_a_created_event_is_stored_in_the_dashboards_format(mongo_uri: str, database: Database) -> None:
    customer = ObjectId()
    text = "Articolo\nsu Wired"
    about = ("--customer-id", str(customer), "--amount", "12.5", "--plan", "pro", "--key", "wired")
    output = ""
    for _ in range(2):
        status, output = call(mongo_uri, database, "create", "media_mention", text, "--at", "2026-01-02 09:30", *about)
        assert status == 0, output

    [event] = database.business_events.find()
    assert event["event_date"] == datetime(2026, 1, 2, 8, 30, tzinfo=UTC)
    assert (event["event_type"], event["description"]) == ("media_mention", "Articolo su Wired")
    assert (event["customer_id"], event["amount"], event["plan_name"]) == (customer, 12.5, "pro")
    assert (event["metadata"], event["auto_generated"]) == ({"source": "command_line"}, False)
    assert f"📰 Articolo su Wired\nstored as {event['_id']}" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("new_customer", "x"), "'new_customer' is not one of 'marketing_campaign'"),
        (("partnership", "\u200b"), "must contain visible characters"),
        (("partnership", "x", "--at", "2999-01-01"), "must not be in the future"),
        (("partnership", "x", "--at", "ieri"), "does not match the formats"),
        (("partnership", "x", "--amount", "1e300"), "is not in the range"),
    ],
)
def test_invalid_arguments_are_rejected(
    mongo_uri: str, database: Database, arguments: tuple[str, ...], sentence: str
) -> None:
    status, output = call(mongo_uri, database, "create", *arguments)

    assert (status, sentence in output) == (2, True), output
    assert database.business_events.count_documents({}) == 0


def test_an_event_of_a_past_day_is_in_the_note_of_that_day(mongo_uri: str, database: Database) -> None:
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        rollup = Rollup(database, ActiveConfig(config))
        day = business_days.business_day(rollup.now(), config.time.zone) - 3 * business_days.ONE_DAY
        shop.begin_ledger(database, day)
        rollup.write(day, final=True)
        status, output = call(mongo_uri, database, "create", "partnership", "Accordo con WP Engine", "--at", str(day))
        assert status == 0, output
        wait_for(lambda: _reopened(database), "the day to be reopened")
        rollup.close_missing(rollup.now())

    [row] = database.historical_analytics.find({"date": business_days.stored(day)})
    assert row["notes"] == "🤝 Accordo con WP Engine"


def _reopened(db: Database) -> bool:
    return bool((db.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}).get("reopened"))


@contextmanager
def tail(uri: str, db: Database, *arguments: str, **more: str) -> Iterator[tuple["subprocess.Popen[bytes]", list[str]]]:
    """Run `events tail` on a terminal; yield the process and the output so far."""
    master, slave = pty.openpty()
    environment = {**os.environ, "MONGODB_URI": uri, "MONGODB_DATABASE": db.name, "PYTHONIOENCODING": "utf-8", **more}
    command = [sys.executable, "-m", "daemon", "events", "tail", *arguments]
    running = subprocess.Popen(command, cwd=shop.ROOT, env=environment, stdout=slave, stderr=slave)
    os.close(slave)
    shown: list[str] = []

    def read() -> None:
        try:
            while part := os.read(master, 65_536):
                shown.append(part.decode(errors="replace"))
        except OSError:
            return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield running, shown
    finally:
        running.kill()
        running.wait(10)
        reader.join(10)
        os.close(master)


def test_tail_shows_events_in_color_as_they_are_written_and_withdrawn_ones(mongo_uri: str, database: Database) -> None:
    insert_event(database, "prima")
    with tail(mongo_uri, database) as (running, shown):

        def seen(text: str) -> None:
            wait_for(lambda: text in "".join(shown), text)

        seen("prima")
        made = insert_event(database, "dopo\x1b[2J")
        seen("\x1b[32m🎉 dopo[2J\x1b[0m")
        insert_event(database, "giù", event_type="server_issue")
        seen("\x1b[31m⚠️ giù\x1b[0m")
        database.business_events.delete_one({"_id": made})
        seen("(withdrawn: reported externally)")
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0

    assert "".join(shown).count("prima") == 1


def test_tail_reports_an_outage_once_and_its_end_once() -> None:
    with EmbeddedMongo() as mongo, shop.fresh_database(mongo.uri) as database:
        slow = {"CHATELLO_MONGODB__TIMEOUT_SECONDS": "1", "TERM": "dumb"}
        with tail(mongo.uri, database, **slow) as (_, shown):
            wait_for(lambda: bool(insert_event(database, "prima") and "prima" in "".join(shown)), "an event")
            mongo.members[0].send(signal.SIGSTOP)
            wait_for(lambda: "retrying" in "".join(shown), "the outage", 60)
            began = clock.monotonic()
            wait_for(lambda: clock.monotonic() > began + 8, "several attempts")
            mongo.members[0].send(signal.SIGCONT)
            wait_for(lambda: "connected again" in "".join(shown), "the end of the outage", 60)

    output = "".join(shown)
    assert (output.count("retrying"), output.count("connected again")) == (1, 1), output
    assert "\x1b" not in output, "colors on TERM=dumb"


def test_tail_of_a_type_shows_no_others(mongo_uri: str, database: Database) -> None:
    insert_event(database, "prima")
    with tail(mongo_uri, database, "--type", "server_issue") as (_, shown):
        insert_event(database, "mai")
        wait_for(lambda: _insert_until_shown(database, shown), "an event of the type")

    assert "mai" not in "".join(shown)
    assert "prima" not in "".join(shown)


def _insert_until_shown(db: Database, shown: list[str]) -> bool:
    """Insert another event until one is shown, because the stream may not be open yet."""
    insert_event(db, "giù", event_type="server_issue")
    return "giù" in "".join(shown)
