"""API calls on the real replica set: counted by an index or not at all; each event is emitted once, none late."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from daemon import clock
from daemon.config.schema import Config
from daemon.demo.embedded_mongo import wait_for
from daemon.diagnostics import preflight
from daemon.mongo.types import Database
from daemon.pipeline import api_milestones
from daemon.pipeline.api_milestones import ApiUsageMilestones
from daemon.source import api_usage
from rules import business_days
from tests import shop
from tests.oracle import assert_ledger_consistent
from tests.shop import Running


def beat() -> None:
    return None


def api_calls(db: Database, count: int, at: datetime) -> None:
    db.usage_logs.insert_many([{"endpoint": "/api/chat", "created_at": at} for _ in range(count)])


def told(db: Database) -> list[str]:
    query = {"metadata.milestone_type": "api_calls"}
    return [event["description"] for event in db.business_events.find(query).sort("_id", 1)]


def peak(db: Database) -> int | None:
    checkpoint = db.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}
    found: int | None = checkpoint["memory"].get("milestones", {}).get("api_calls")
    return found


def ring(run: Running, db: Database, expected: int) -> None:
    """Count and emit as the scheduler does, once the checkpoint has passed what was written."""
    assert run.leader is not None

    def counted() -> bool:
        assert run.leader is not None
        run.leader.jobs.put(api_milestones.emit(run.leader.api_usage.count(beat)))
        return peak(db) == expected

    wait_for(counted, f"{expected} calls to be counted")


def now() -> datetime:
    """A moment of today that the checkpoint has passed, or soon will have."""
    return clock.now() - timedelta(seconds=1)


def test_the_calls_of_the_day_reach_a_milestone_once_and_the_busiest_day_before_is_the_level_to_pass(
    mongo_uri: str, database: Database
) -> None:
    shop.plans(database)
    database.usage_logs.create_index("created_at")
    api_calls(database, 120, now() - timedelta(days=3))
    api_calls(database, 40, now() - timedelta(days=2))
    with shop.running(shop.config_for(mongo_uri, database)) as run:
        ring(run, database, 120)
        assert told(database) == []
        api_calls(database, 510, now())
        ring(run, database, 510)
        ring(run, database, 510)

    assert told(database) == ["Superate 500 chiamate API in un giorno!"]
    assert_ledger_consistent(database)


def test_a_new_shop_hears_of_its_first_hundred(mongo_uri: str, database: Database) -> None:
    database.usage_logs.create_index([("created_at", -1), ("license_id", 1)])
    with shop.running(shop.config_for(mongo_uri, database)) as run:
        ring(run, database, 0)
        api_calls(database, 100, now())
        ring(run, database, 100)
    api_calls(database, 400, now())
    with shop.process(mongo_uri, database.name):
        wait_for(lambda: len(told(database)) == 2, "the bell to ring")

    assert set(told(database)) == {"Superate 100 chiamate API in un giorno!", "Superate 500 chiamate API in un giorno!"}


@pytest.mark.parametrize("index", [None, "license_id", "hashed", "partial"])
def test_without_an_index_on_the_date_nothing_is_counted_and_check_says_so(
    mongo_uri: str, database: Database, index: str | None
) -> None:
    if index == "hashed":
        database.usage_logs.create_index([("created_at", "hashed")])
    elif index == "partial":
        database.usage_logs.create_index("created_at", partialFilterExpression={"endpoint": "/x"})
    elif index:
        database.usage_logs.create_index([(index, 1), ("created_at", 1)])
    api_calls(database, 1, now())
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        assert ApiUsageMilestones(database, config).count(beat) == []

    [said] = [found for found in preflight.run_checks(database) if found.subject == "usage_logs"]
    assert "not counted (run db.usage_logs.createIndex({created_at: 1})" in said.found


@pytest.mark.parametrize(("calls", "level"), [(0, "info"), (1, "warning")])
def test_a_missing_collection_is_logged_once_as_information_and_a_missing_index_as_a_warning(
    mongo_uri: str, database: Database, capsys: pytest.CaptureFixture[str], calls: int, level: str
) -> None:
    if calls:
        api_calls(database, calls, now())
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        counting = ApiUsageMilestones(database, config)
    capsys.readouterr()
    assert [counting.count(beat) for _ in range(3)] == [[], [], []]
    lines = [line for line in capsys.readouterr().out.splitlines() if "api_usage.not_counted" in line]

    assert [level in line for line in lines] == [True]
    [found] = [found for found in preflight.run_checks(database) if found.subject == "usage_logs"]
    assert ("does not exist" in found.found) is (calls == 0)


def test_a_count_is_answered_by_the_index_alone(database: Database) -> None:
    name = database.usage_logs.create_index("created_at")
    api_calls(database, 50, now())
    api_calls(database, 50, now() - timedelta(days=9))
    query = {"created_at": {"$gte": now() - timedelta(hours=1), "$lt": clock.now()}}
    command = {"count": "usage_logs", "query": query, "hint": name}
    plan = database.command("explain", command, verbosity="executionStats")["executionStats"]

    assert (plan["totalDocsExamined"], plan["totalKeysExamined"]) == (0, 51)
    assert api_usage.count_calls(database, now() - timedelta(hours=1), clock.now(), name) == 50


def test_a_day_is_the_shops_and_is_looked_for_where_the_api_stored_it(mongo_uri: str, database: Database) -> None:
    """The API writes local time as if it were UTC: half past midnight in Rome is on the new day already."""
    name = database.usage_logs.create_index("created_at")
    config = shop.config_for(mongo_uri, database, time={"naive_zone": "Europe/Rome"})
    api_calls(database, 7, datetime(2026, 7, 2, 0, 30, tzinfo=UTC))
    api_calls(database, 5, datetime(2026, 7, 1, 23, 30, tzinfo=UTC))
    counting = ApiUsageMilestones(database, config)

    assert counting._calls_of(date(2026, 7, 2), name) == 7
    assert counting._calls_of(date(2026, 7, 1), name) == 5
    utc = ApiUsageMilestones(database, Config.model_validate({"mongodb": config.mongodb}))
    assert utc._calls_of(date(2026, 7, 2), name) == 12


def test_a_day_that_is_over_is_counted_once_more_as_a_whole(mongo_uri: str, database: Database) -> None:
    name = database.usage_logs.create_index("created_at")
    counting = ApiUsageMilestones(database, shop.config_for(mongo_uri, database))
    zone = ZoneInfo("Europe/Rome")
    midnight = business_days.start(date(2026, 7, 2), zone)
    api_calls(database, 60, midnight - timedelta(hours=5))
    assert [found.calls for found in counting._count(midnight - timedelta(hours=4), name)] == [60]
    api_calls(database, 20, midnight - timedelta(hours=4, minutes=5))
    assert [found.calls for found in counting._count(midnight - timedelta(hours=3), name)] == [80]
    api_calls(database, 40, midnight - timedelta(hours=4, minutes=5))  # arrives an hour late
    assert [found.calls for found in counting._count(midnight - timedelta(hours=2), name)] == [80]
    api_calls(database, 3, midnight + timedelta(minutes=1))

    over, today = counting._count(midnight + timedelta(minutes=5), name)
    assert (over.calls, over.at) == (120, midnight - timedelta(milliseconds=1))
    assert today.calls == 3
