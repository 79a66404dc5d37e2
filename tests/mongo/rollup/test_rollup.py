"""Rollup on a real replica set: daily rows, monthly rows and amendments."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.rollup.row_builder import RowBuilder
from daemon.store import checkpoint as checkpoints
from daemon.store import indexes, rows
from daemon.store.ledger import day_sums as server_sums
from rules import business_days as days
from rules.model.changes import Change
from rules.model.ledger import Movement
from rules.revenue import day_sums
from rules.rows import periods
from rules.rows.amendment import REPORTED
from rules.rows.periods import PeriodKind
from rules.settings.settings import Settings
from tests import shop
from tests.oracle import events
from tests.rules.calendar_recount import ZONE, business_days, recounted_days
from tests.rules.histories import histories
from tests.rules.shop import Shop
from tests.shop_history import ShopHistory, config_of, local, move_clock, row_of, write_ledger

# -- rows from the ledger -----------------------------------------------------------------------------------------


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(histories())
def test_the_row_of_each_day_equals_an_independent_recount_as_of_that_midnight(
    database: Database, history: list[Change]
) -> None:
    """Histories cover months and both DST changes; single rows and consecutive rows are equal."""
    if not history:
        return
    span = business_days(history)
    followed = Shop().follow(history).tick(days.start(span[-1] + days.ONE_DAY, ZONE))
    for name in ("analytics_ledger", "analytics_checkpoint", "analytics_mirror"):
        database[name].delete_many({})
    write_ledger(database, followed.movements, followed.totals, local(span[-1] + 2 * days.ONE_DAY))
    builder = RowBuilder(database, Settings())
    sums: dict[date, list[Movement]] = {}
    for movement in followed.movements:
        sums.setdefault(days.business_day(movement.at, ZONE), []).append(movement)
    walked = {
        computed["date"].date(): computed for computed in builder.build_days(span[0], span[min(len(span), 70) - 1])
    }
    interesting = {*sums, *span[:2], *span[-2:]}

    for expected in recounted_days(history):
        if expected.day in walked:
            computed = walked[expected.day]
            assert {name: computed[name] for name in expected.numbers()} == expected.numbers(), expected.day
        if expected.day in sorted(interesting)[:12]:
            single = builder.build_row(periods.day(expected.day))
            assert {name: single[name] for name in expected.numbers()} == expected.numbers(), expected.day
            assert single == walked.get(expected.day, single)
    found = server_sums.by_day(database, span[0], span[-1])
    assert found == {day: day_sums.of_day(lines) for day, lines in sums.items()}


# -- missing days and months, with a moved checkpoint time -----------------------------------------------------------


def test_after_months_of_downtime_every_day_and_month_is_written_as_of_its_own_midnight(life: ShopHistory) -> None:
    rollup = Rollup(life.db, ActiveConfig(config_of(life.db)))
    written = rollup.close_missing(local(date(2025, 6, 30), 12))

    assert written == list(days.between(date(2025, 3, 14), date(2025, 6, 29)))
    assert rollup.close_missing(local(date(2025, 6, 30), 12)) == []
    numbers = {day: row_of(life.db, day) for day in written}
    assert [numbers[date(2025, 3, 13) + timedelta(n)]["mrr"] for n in (1, 16, 17, 20)] == [23.97, 43.96, 47.97, 27.98]
    month = row_of(life.db, date(2025, 4, 1), "monthly")
    assert month["mrr"] == numbers[date(2025, 4, 30)]["mrr"] == 27.98
    assert (month["churned_customers"], month["net_revenue_retention"]) == (1, round(27.98 / 47.97, 6))
    assert month["customer_churn_rate"] == round(1 / 3, 6)
    assert [row["date"].month for row in life.db.historical_analytics.find({"period_type": "monthly"})] == [3, 4, 5]
    assert all(row["final"] and row["revision"] == 0 for row in life.db.historical_analytics.find())


def test_the_note_of_a_partial_first_month_names_its_first_day(life: ShopHistory) -> None:
    rollup = Rollup(life.db, ActiveConfig(config_of(life.db)))
    rollup.close_missing(local(date(2025, 6, 30), 12))

    march, may = row_of(life.db, date(2025, 3, 1), "monthly"), row_of(life.db, date(2025, 5, 1), "monthly")
    assert march["measured_from"] == local(date(2025, 3, 14), 15)
    assert march["net_revenue_retention"] is None
    assert march["notes"] == (
        "📅 Marzo 2025 (dal giorno 14): clienti 4 (+4), paganti 3 (+3) • 📈 MRR €47.97 (+€47.97) • "
        "🎫 Nuove licenze: 4 • 😞 Cancellazioni: 1 • 😞 Clienti persi: 1 (churn n.d.)"
    )
    assert may["measured_from"] is None
    assert may["notes"] == (
        "📅 Maggio 2025: clienti 4 (=), paganti 3 (+1) • 📈 MRR €35.97 (+€7.99) • 🎫 Nuove licenze: 1 • "
        "💰 Vendite una tantum: €29.00 • ✅ Clienti tornati: 1 • 🔄 NRR: 128.6%"
    )


@pytest.mark.parametrize(
    ("now", "missing"),
    [
        (local(date(2025, 3, 30), 5, 59), []),
        (local(date(2025, 3, 30), 6, 0), [29]),
        (local(date(2025, 3, 31), 5, 59), [29]),
        (local(date(2025, 3, 31), 6, 0), [29, 30]),
        (local(date(2025, 4, 3), 6, 0), [29, 30, 31, 1, 2]),
    ],
)
def test_after_days_of_downtime_exactly_the_missing_days_are_due_and_never_today(
    life: ShopHistory, now: datetime, missing: list[int]
) -> None:
    """The time includes the day of 23 hours."""
    rollup = Rollup(life.db, ActiveConfig(config_of(life.db)))
    for day in days.between(date(2025, 3, 14), date(2025, 3, 28)):
        rollup.write(day, final=True)
    move_clock(life.db, now)

    assert [day.day for day in rollup.close_missing(now)] == missing
    assert rollup.close_missing(now) == []
    today = days.business_day(now, ZONE)
    rollup.write_today(now)
    assert row_of(life.db, today)["final"] is False


@pytest.mark.parametrize(
    ("now", "missing"),
    [
        (local(date(2025, 4, 1), 5, 59), []),
        (local(date(2025, 4, 1), 6, 0), ["2025-03"]),
        (local(date(2025, 4, 30), 23, 59), ["2025-03"]),
        (local(date(2025, 5, 1), 6, 0), ["2025-03", "2025-04"]),
    ],
)
def test_a_month_is_closed_on_the_first_of_the_next_with_its_last_day(
    life: ShopHistory, now: datetime, missing: list[str]
) -> None:
    rollup = Rollup(life.db, ActiveConfig(config_of(life.db)))
    move_clock(life.db, now)
    assert [str(month) for month in rollup.missing_months(now)] == missing
    rollup.close_missing(now)

    assert rollup.missing_months(now) == []
    monthly = rows.read(life.db, date.min, date.max, PeriodKind.MONTHLY)
    assert [f"{row['date']:%Y-%m}" for row in monthly] == missing


def test_the_day_of_twenty_five_hours_includes_all_of_them(database: Database) -> None:
    indexes.create(database)
    life = ShopHistory(database, local(date(2025, 10, 20)))
    twice = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    for place, at in enumerate((twice, twice + timedelta(hours=1), local(date(2025, 10, 26), 23, 59))):
        life.customer(at, f"c{place}")
    life.customer(local(date(2025, 10, 27), 0), "next")
    life.store(local(date(2025, 10, 28)))
    rollup = Rollup(database, ActiveConfig(config_of(database)))
    rollup.close_missing(local(date(2025, 10, 28)))

    assert [row_of(database, date(2025, 10, day))["new_customers"] for day in (26, 27)] == [3, 1]
    assert [entry["time"] for entry in row_of(database, date(2025, 10, 26))["auto_events"]] == [
        "02:30",
        "02:30",
        "23:59",
    ]


def test_two_processes_that_close_days_at_once_write_each_row_once(life: ShopHistory, mongo_uri: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from tests.system.test_process import run_once

    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": life.db.name}
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: run_once("rollup", **environment), range(2)))

    assert [status for status, _ in results] == [0, 0], results
    written = list(days.between(date(2025, 3, 14), date(2025, 6, 29)))
    stored = [row["date"].date() for row in rows.read(life.db, date.min, date.max)]
    assert stored == written
    assert life.db.historical_analytics.count_documents({"final": True, "revision": 0}) == len(written) + 3


# -- late facts ----------------------------------------------------------------------------------------------------


def test_a_late_fact_amends_its_day_and_all_later_periods_and_logs_each_field(
    life: ShopHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    rollup = Rollup(life.db, ActiveConfig(config_of(life.db)))
    now = local(date(2025, 6, 30), 12)
    rollup.close_missing(now)
    before = {row["date"]: row for row in rows.read(life.db, date.min, date.max)}
    life.license(local(date(2025, 5, 20), 9), "L-late", "dario")
    life.store(now, reopen=True)
    capsys.readouterr()
    rollup.close_missing(now)

    amended = {row["date"].date(): row for row in rows.read(life.db, date.min, date.max) if row["revision"]}
    assert list(amended) == list(days.between(date(2025, 5, 20), date(2025, 6, 29)))
    for day, row in amended.items():
        was = before[days.stored(day)]
        assert row["mrr"] == pytest.approx(was["mrr"] + 7.99)
        assert row["first_reported"] == {name: was[name] for name in (*REPORTED, "updated_at")}
    day = amended[date(2025, 5, 20)]
    assert (day["reactivated_customers"], day["first_reported"]["reactivated_customers"]) == (1, 0)
    months = {row["date"].month: row["revision"] for row in rows.read(life.db, date.min, date.max, PeriodKind.MONTHLY)}
    assert months == {3: 0, 4: 0, 5: 1}
    logged = [line for line in capsys.readouterr().out.splitlines() if "row.amended" in line]
    assert len(logged) == len(amended) + 1
    assert "{'field': 'mrr', 'before': 35.97, 'after': 43.96}" in logged[0]
    assert "'field': 'mrr_movements.reactivation.count', 'before': 0, 'after': 1" in logged[0]


def test_a_row_amended_twice_keeps_what_it_first_reported(life: ShopHistory) -> None:
    rollup = Rollup(life.db, ActiveConfig(config_of(life.db)))
    now = local(date(2025, 6, 30), 12)
    rollup.close_missing(now)
    for number in (1, 2):
        life.license(local(date(2025, 5, 20), 9), f"L-late{number}", "dario")
        life.store(now, reopen=True)
        rollup.close_missing(now)

    row = row_of(life.db, date(2025, 6, 1))
    assert (row["revision"], row["mrr"], row["first_reported"]["mrr"]) == (2, 51.95, 35.97)


def test_a_late_event_reopens_its_own_day_only(life: ShopHistory) -> None:
    rollup = Rollup(life.db, ActiveConfig(config_of(life.db)))
    now = local(date(2025, 6, 30), 12)
    rollup.close_missing(now)
    late = {"event_type": "media_mention", "event_date": local(date(2025, 4, 4)), "description": "Articolo su Wired"}
    life.db.business_events.insert_one(late)
    entry = {"day": days.stored(date(2025, 4, 4)), "seq": 0, "moved": False}
    life.db.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$push": {"reopened": entry}})
    rollup.close_missing(now)

    changed = [row["date"].day for row in rows.read(life.db, date.min, date.max) if row["revision"]]
    row = row_of(life.db, date(2025, 4, 4))
    assert changed == [4]
    assert (row["notes"], row["first_reported"]["auto_notes"]) == ("📰 Articolo su Wired", "")


def test_an_event_recorded_while_its_days_row_is_written_reopens_the_day_again(
    mongo_uri: str, database: Database
) -> None:
    """Two such commits may have the same ledger line: removing the first entry must keep the second."""
    late = {"event_type": "media_mention", "event_date": clock.now() - timedelta(days=3), "description": "Wired"}
    with shop.running(shop.config_for(mongo_uri, database)):
        database.business_events.insert_one({**late})
        shop.until(lambda: len(checkpoints.reopened_days(database)) == 1, "the day to be reopened")
        being_written = checkpoints.reopened_days(database)
        database.business_events.insert_one({**late})
        after = shop.customer(database, "afterwards")
        shop.until(lambda: events(database)["new_customer", after] == 1, "the second event to be received")
        checkpoints.remove_reopened(database, being_written)

        assert [entry["day"] for entry in checkpoints.reopened_days(database)] == [being_written[0]["day"]]
