"""`rollup --check` and `--write` over a range, with the real command line on a real replica set."""

import signal
import subprocess
import sys
from datetime import date, datetime
from typing import Any

import pytest
from bson import Int64

from daemon.config.active import ActiveConfig
from daemon.diagnostics.row_audit import RowAudit, next_day
from daemon.rollup.rollup import Rollup
from rules import business_days
from rules.model.changes import Operation, Source
from rules.rows import periods
from tests import shop
from tests.shop_history import ShopHistory, config_of, local, row_of, store_plans
from tests.system.test_process import run_once

LAST = date(2025, 6, 29)


def rollup(mongo_uri: str, life: ShopHistory, *arguments: str) -> tuple[int, str]:
    return run_once("rollup", *arguments, MONGODB_URI=mongo_uri, MONGODB_DATABASE=life.db.name)


def test_rows_written_by_the_daemon_are_recomputed_without_a_difference(mongo_uri: str, closed: ShopHistory) -> None:
    before = closed.db.command("dbHash")["md5"]
    status, output = rollup(mongo_uri, closed, "--check")

    assert status == 0, output
    assert "2025-03-14 to 2025-06-29: 111 rows recomputed, no differences" in output
    assert closed.db.command("dbHash")["md5"] == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mrr": 1.0}, "mrr: stored 1.0, recomputed 27.98"),
        ({"total_customers": Int64(4)}, "total_customers: stored 4, recomputed 4"),
        ({"new_customers": 0.0}, "new_customers: stored 0.0, recomputed 0"),
        ({"revenue_by_plan.pro.count": 7}, "revenue_by_plan.pro.count: stored 7, recomputed 1"),
        ({"auto_notes": "x"}, "auto_notes: stored 'x', recomputed ''"),
        ({"final": False}, "the row is not final"),
    ],
)
def test_a_difference_of_a_single_byte_is_shown_and_amended(
    mongo_uri: str, closed: ShopHistory, change: dict[str, Any], message: str
) -> None:
    """The type counts too: the daemon does not write 4 as a long or 0 as a double."""
    day = business_days.stored(date(2025, 4, 10))
    before = row_of(closed.db, date(2025, 4, 10))
    closed.db.historical_analytics.update_one({"date": day, "period_type": "daily"}, {"$set": change})
    arguments = ("--from", "2025-04-09", "--to", "2025-04-11")
    checked = rollup(mongo_uri, closed, *arguments, "--check")
    written = rollup(mongo_uri, closed, *arguments, "--write")

    assert checked[0] == 1, checked
    assert f"2025-04-10: {message}\n" in checked[1]
    assert "3 rows recomputed, 1 differ" in checked[1]
    assert written[0] == 0, written
    assert "3 rows recomputed, 1 amended" in written[1]
    assert rollup(mongo_uri, closed, *arguments, "--check")[0] == 0
    after = row_of(closed.db, date(2025, 4, 10))
    own = set(before) - {"updated_at", "revision", "first_reported", "notes"}
    assert {name: after[name] for name in own} == {name: before[name] for name in own}


def test_missing_rows_replaced_rows_and_months_are_shown_and_amended(mongo_uri: str, closed: ShopHistory) -> None:
    table = closed.db.historical_analytics
    table.delete_one({"date": business_days.stored(date(2025, 4, 29))})
    table.replace_one(
        {"date": business_days.stored(date(2025, 4, 30))},
        {"date": business_days.stored(date(2025, 4, 30)), "mrr": 1.0, "period_type": "daily", "notes": "mia"},
    )
    table.update_one({"period_type": "monthly", "date": business_days.stored(date(2025, 4, 1))}, {"$set": {"mrr": 5.0}})
    status, output = rollup(mongo_uri, closed, "--from", "2025-04-28", "--to", "2025-05-01", "--check")

    assert status == 1
    assert "2025-04-29: the row is missing\n" in output
    assert "2025-04-30: the row was not written by the daemon" in output
    assert "2025-04: mrr: stored 5.0, recomputed 27.98\n" in output
    assert rollup(mongo_uri, closed, "--write")[0] == 0
    assert rollup(mongo_uri, closed, "--check")[0] == 0
    assert row_of(closed.db, date(2025, 4, 30))["notes"] == "mia"


def test_a_range_begins_with_the_ledger_and_ends_with_the_last_closed_day(mongo_uri: str, closed: ShopHistory) -> None:
    status, output = rollup(mongo_uri, closed, "--from", "2020-01-01", "--to", "2031-01-01", "--check")
    assert (status, "2025-03-14 to 2025-06-29: 111 rows" in output) == (0, True)

    status, output = rollup(mongo_uri, closed, "--from", "2025-06-30", "--check")
    assert (status, "no closed day in the range" in output) == (1, True), output
    status, output = rollup(mongo_uri, closed, "--date", "2025-03-13")
    assert (status, "no row for 2025-03-13: the first day is 2025-03-14" in output) == (1, True), output
    for arguments in (
        ("--from", "2025-06-01"),
        ("--check", "--write"),
        ("--date", "2025-06-01", "--check"),
    ):
        status, output = rollup(mongo_uri, closed, *arguments)
        assert (status, "Traceback" in output) == (2, False), output


def test_ctrl_c_stops_a_range_and_prints_how_to_continue(mongo_uri: str, closed: ShopHistory) -> None:
    """Stop a long range of wrong rows after some are shown: continuing from there finds all others."""
    closed.db.historical_analytics.update_many({"period_type": "daily"}, {"$set": {"mrr": 0.5}})
    process = shop.Process(mongo_uri, closed.db.name)
    command = [sys.executable, "-u", "-m", "daemon", "rollup", "--write"]
    with subprocess.Popen(
        command, cwd=shop.ROOT, env=process.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        for _ in range(5):
            running.stdout.readline()
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=60)

    assert running.returncode == 130, (output, errors)
    _, _, rest = errors.partition("continue with: rollup ")
    arguments = rest.split()
    assert arguments[0] == "--from", errors
    assert date(2025, 3, 14) < datetime.fromisoformat(arguments[1]).date() < LAST
    assert rollup(mongo_uri, closed, *arguments)[0] == 0
    assert rollup(mongo_uri, closed, "--check")[0] == 0


def test_continuing_skips_no_month() -> None:
    assert next_day(periods.day(date(2025, 4, 29))) == date(2025, 4, 30)
    assert next_day(periods.day(date(2025, 4, 30))) == date(2025, 4, 30), "the month's row is still to come"
    assert next_day(periods.month(date(2025, 4, 1))) == date(2025, 5, 1)


def test_recorded_events_keep_their_text_when_the_rules_change(closed: ShopHistory) -> None:
    other = config_of(closed.db, rules={"texts": {"license_cancelled": "Disdetta: {plan}, {name}"}})
    audit = RowAudit(Rollup(closed.db, ActiveConfig(other)))
    span = audit.closed_range(None, None)
    assert span is not None

    assert all(finding.matches for finding in audit.findings(*span))


def test_renaming_a_plan_does_not_change_old_rows(mongo_uri: str, closed: ShopHistory) -> None:
    closed.change(local(date(2025, 6, 30), 9), Source.PLANS, Operation.UPDATE, "pro", {"name": "professional"})
    closed.db.analytics_mirror.delete_many({"_id.k": "plans"})
    store_plans(closed.db, closed.shop)

    assert rollup(mongo_uri, closed, "--check")[0] == 0
    today = Rollup(closed.db, ActiveConfig(config_of(closed.db))).row(date(2025, 6, 30))
    assert sorted(today["revenue_by_plan"]) == ["agency", "founders", "professional"]
