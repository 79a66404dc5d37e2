"""The indexes the daemon makes: where the table it finds forbids one, a person hears which rows are in the way."""

from datetime import UTC, datetime

from daemon.mongo.types import Database
from tests.system.test_process import run_once


def test_two_rows_of_one_day_are_named_by_check_and_end_the_start(mongo_uri: str, database: Database) -> None:
    row = {"date": datetime(2026, 11, 1, tzinfo=UTC), "period_type": "daily", "mrr": 1.0}
    database.historical_analytics.insert_many([dict(row), dict(row), {**row, "period_type": "monthly"}])
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}
    checked, looked_at = run_once("check", **environment)
    ended, told = run_once("run", **environment)

    assert (checked, ended) == (1, 78)
    for output in (looked_at, told):
        assert "2 daily rows of 2026-11-01" in output
        assert "remove all but one of each" in output
        assert "monthly" not in output
