"""`events sample` on a real replica set: shown today, removed exactly, in no closed row."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daemon import clock
from daemon.cli import main
from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database, Document
from daemon.rollup.rollup import Rollup
from daemon.store import sample_events
from rules import business_days
from rules.rows.row import NUMBERS
from rules.settings.custom_rules import MANUAL_TYPES
from rules.settings.samples import SAMPLES
from tests import shop
from tests.shop_history import move_clock


@pytest.fixture
def rollup(database: Database, mongo_uri: str) -> Iterator[Rollup]:
    """Return the rollup of a shop with a customer and an external event, beside a running daemon."""
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        shop.customer(database, "Prima")
        external(database, "feature_released", "Rilasciata la ricerca")
        shop.until(lambda: database.business_events.count_documents({}) == 2, "the event of the customer")
        yield Rollup(database, ActiveConfig(config))


def external(db: Database, event_type: str, description: str) -> None:
    event = {"event_type": event_type, "event_date": clock.now(), "description": description, "metadata": {}}
    db.business_events.insert_one({**event, "created_at": clock.now()})


def sample(db: Database, uri: str, *options: str) -> Result:
    environment = {"MONGODB_URI": uri, "MONGODB_DATABASE": db.name}
    return CliRunner().invoke(main, ["events", "sample", *options], env=environment)


def live_row(rollup: Rollup) -> Document:
    return rollup.write_today(rollup.now())


def rows_and_events(db: Database) -> dict[str, list[Document]]:
    changing = dict.fromkeys(("updated_at", "processed"), 0)
    return {name: list(db[name].find({}, changing).sort("_id")) for name in ("historical_analytics", "business_events")}


def test_sample_events_are_only_of_types_of_which_the_daemon_emits_no_facts() -> None:
    assert {kind for kind, _ in SAMPLES} <= set(MANUAL_TYPES)
    assert all(text.endswith("(esempio)") for _, text in SAMPLES)


def test_sample_events_are_in_todays_note_and_change_no_number(
    rollup: Rollup, database: Database, mongo_uri: str
) -> None:
    before, memory = live_row(rollup), database.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}
    result = sample(database, mongo_uri, "--yes")
    after = live_row(rollup)
    stored = database.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}

    assert result.exit_code == 0, result.output
    assert all(text in after["notes"] and text not in before["notes"] for _, text in SAMPLES)
    assert after["notes"].startswith("🎉 Nuovo cliente: Prima • 🚀 Rilasciata la ricerca")
    unchanged = (*NUMBERS, "auto_events", "auto_events_total")
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert (stored["totals"], stored["seq"], stored["memory"]) == (memory["totals"], memory["seq"], memory["memory"])


def test_removing_sample_events_deletes_exactly_those_and_rewrites_the_note(
    rollup: Rollup, database: Database, mongo_uri: str
) -> None:
    """Real external events of the same types, written before and after, stay."""
    before = live_row(rollup)
    sample(database, mongo_uri, "--yes")
    live_row(rollup)
    external(database, "partnership", "Accordo con WP Engine")
    real = rows_and_events(database)["business_events"]
    result = sample(database, mongo_uri, "--remove")
    row = database.historical_analytics.find_one({"period_type": "daily"}) or {}

    assert f"{len(SAMPLES)} sample events removed" in result.output
    expected = [event for event in real if event["metadata"].get("sample") is not True]
    assert rows_and_events(database)["business_events"] == expected
    assert row["notes"] == f"{before['notes']} • 🤝 Accordo con WP Engine"


def test_removing_the_only_events_of_a_day_empties_its_note(database: Database, mongo_uri: str) -> None:
    """No event is left, as after the dashboard's deletion of old events, in which case the note would stay."""
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        sample(database, mongo_uri, "--yes")
        rollup = Rollup(database, ActiveConfig(config))
        assert "(esempio)" in live_row(rollup)["notes"]
        sample(database, mongo_uri, "--remove")

    assert (database.historical_analytics.find_one() or {})["notes"] == ""


def test_sample_events_are_written_once_and_can_be_removed_twice(
    rollup: Rollup, database: Database, mongo_uri: str
) -> None:
    first, second = sample(database, mongo_uri, "--yes"), sample(database, mongo_uri, "--yes")
    stored = sample_events.count(database)
    removed = [sample(database, mongo_uri, "--remove").output for _ in range(2)]

    assert stored == len(SAMPLES)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert f"{len(SAMPLES)} sample events exist already; remove them with" in second.output
    assert f"{len(SAMPLES)} sample events removed" in removed[0]
    assert "0 sample events removed" in removed[1]


def test_a_closed_row_contains_no_sample_event_and_their_removal_does_not_change_it(
    database: Database, mongo_uri: str
) -> None:
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        shop.customer(database, "Prima")
        shop.until(lambda: database.analytics_ledger.count_documents({}) > 0, "the customer")
        sample(database, mongo_uri, "--yes")
        rollup = Rollup(database, ActiveConfig(config))
        live = live_row(rollup)
    day = business_days.business_day(clock.now(), config.time.zone)
    morning = business_days.start(day + business_days.ONE_DAY, config.time.zone) + timedelta(hours=12)
    move_clock(database, morning)
    rollup.close_missing(morning)
    [closed] = database.historical_analytics.find({"final": True, "period_type": "daily"})
    before = rows_and_events(database)["historical_analytics"]
    sample(database, mongo_uri, "--remove")
    after = rows_and_events(database)["historical_analytics"]

    assert "(esempio)" in live["notes"]
    assert (closed["notes"], closed["revision"]) == ("🎉 Nuovo cliente: Prima", 0)
    assert [row for row in after if row["final"]] == [row for row in before if row["final"]]


def test_without_a_terminal_sample_events_need_yes(database: Database, mongo_uri: str) -> None:
    result = sample(database, mongo_uri)

    assert result.exit_code == 2
    assert "standard input is not a terminal, so nothing can be confirmed; add --yes" in result.stderr
    assert sample_events.count(database) == 0


@pytest.mark.parametrize(("answer", "stored"), [("n\n", 0), ("y\n", len(SAMPLES))])
def test_in_a_terminal_sample_events_are_written_after_a_question(
    answer: str, stored: int, database: Database, mongo_uri: str
) -> None:
    terminal, side_of_the_command = pty.openpty()
    os.write(terminal, answer.encode())
    environment: dict[str, Any] = {**os.environ, "MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}
    command = [sys.executable, "-m", "daemon", "events", "sample"]
    done = subprocess.run(
        command, stdin=side_of_the_command, capture_output=True, text=True, env=environment, cwd=shop.ROOT, check=False
    )
    for end in (terminal, side_of_the_command):
        os.close(end)

    assert f"Write {len(SAMPLES)} sample events into the database {database.name}?" in done.stdout
    assert sample_events.count(database) == stored
