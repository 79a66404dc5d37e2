"""Creation of indexes: duplicate rows that prevent a unique index are listed for the user."""

from datetime import UTC, datetime

from daemon.mongo.types import Database
from tests.system.test_process import run_once


def test_two_rows_of_one_day_are_listed_by_check_and_prevent_the_start(mongo_uri: str, database: Database) -> None:
    row = {"date": datetime(2026, 11, 1, tzinfo=UTC), "period_type": "daily", "mrr": 1.0}
    database.historical_analytics.insert_many([dict(row), dict(row), {**row, "period_type": "monthly"}])
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}
    checked, check_output = run_once("check", **environment)
    ended, run_output = run_once("run", **environment)

    assert (checked, ended) == (1, 78)
    for output in (check_output, run_output):
        assert "2 daily rows of 2026-11-01" in output
        assert "remove all but one of each" in output
        assert "monthly" not in output
