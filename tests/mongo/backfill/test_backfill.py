"""Backfill: the server's rows equal an independent recount of each day; measured and edited rows are kept."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId
from bson.datetime_ms import DatetimeMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon import clock
from daemon.backfill.backfill import Backfill
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from tests import shop
from tests.shop import ROOT
from tests.system.test_process import run_once

ROME = ZoneInfo("Europe/Rome")
FLOOR = datetime(2000, 1, 1, tzinfo=UTC)
COLLECTIONS = ("plans", "customers", "licenses", "historical_analytics", "analytics_ledger", "analytics_mirror")

# -- an independent recount ---------------------------------------------------------------------------------

SANE = st.one_of(
    st.datetimes(datetime(2025, 3, 29), datetime(2025, 4, 1)),  # noqa: DTZ001 - the clock goes forward
    st.datetimes(datetime(2025, 10, 25), datetime(2025, 10, 28)),  # noqa: DTZ001 - and back
    st.datetimes(datetime(2024, 12, 29), datetime(2025, 1, 3)),  # noqa: DTZ001 - a range ends
).map(lambda at: at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000))
INSANE: st.SearchStrategy[Any] = st.sampled_from(
    [None, "2025-03-30", 0, datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC), DatetimeMS(2**60), []]
)
DATES = st.one_of(SANE, SANE, SANE, INSANE)
PLANS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["starter", "pro", "founders", "a.b"]),
        "price": st.sampled_from([0, 2.99, 7.99, 19.995, 29.0, "free"]),
        "is_lifetime": st.booleans(),
        "billing_period": st.sampled_from([None, "month", "year", "week", 7]),
    }
)
COUNTER = count()
LAST = date(2025, 11, 2)
STATUSES = ["active", "active", "active", "cancelled", "expired", "suspended", "inactive", "frozen", None]


@st.composite
def shop_documents(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Draw documents as in an old database, most of them plausible."""
    plans = [{"_id": _id(draw), "currency": "EUR", **draw(PLANS)} for _ in range(draw(st.integers(1, 3)))]
    customers = [{"_id": _id(draw), "name": "A", "created_at": draw(DATES)} for _ in range(draw(st.integers(0, 4)))]
    owners = [*(customer["_id"] for customer in customers), ObjectId(), None]
    licenses = []
    for _ in range(draw(st.integers(0, 8))):
        owner = draw(st.sampled_from(owners))
        license = {
            "_id": _id(draw),
            "customer_id": str(owner) if owner is not None and draw(st.booleans()) else owner,
            "plan_id": draw(st.sampled_from([*(plan["_id"] for plan in plans), ObjectId()])),
            "status": draw(st.sampled_from(STATUSES)),
        }
        names = ("created_at", "activated_at", "updated_at", "expires_at")
        licenses.append(license | {name: draw(DATES) for name in names if draw(st.booleans())})
    return {"plans": plans, "customers": customers, "licenses": licenses}


def _id(draw: st.DrawFn) -> ObjectId:
    """Draw a unique id with a creation time."""
    made = int(draw(SANE).timestamp())
    return ObjectId(f"{made:08x}{next(COUNTER):016x}")


def cents(plan: dict[str, Any]) -> tuple[int, int, bool] | None:
    """Return price and MRR in cents and whether the plan is for life; None for an invalid price."""
    if isinstance(plan["price"], str):
        return None
    price = int((Decimal(str(plan["price"])) * 100).quantize(Decimal(1), ROUND_HALF_EVEN))
    if plan["is_lifetime"] or plan["name"] == "founders":
        return price, 0, True
    factor = {
        None: Decimal(1),
        "month": Decimal(1),
        "year": 1 / Decimal(12),
        "week": Decimal(52) / 12,
        7: 1 / Decimal(7),
    }
    mrr = Decimal(price) * factor[plan["billing_period"]]
    return price, int(mrr.quantize(Decimal(1), ROUND_HALF_EVEN)), False


class Recount:
    """The simplest possible computation: every day is counted from all documents."""

    def __init__(self, documents: dict[str, list[dict[str, Any]]], now: datetime, naive: ZoneInfo) -> None:
        self.now, self.naive = now, naive
        self.prices = {plan["_id"]: (plan["name"], *found) for plan in documents["plans"] if (found := cents(plan))}
        self.came = [at for one in documents["customers"] if (at := self.born(one)) is not None]
        self.lives = [life for one in documents["licenses"] if (life := self.life(one)) is not None]

    def sane(self, value: Any) -> datetime | None:
        if not isinstance(value, datetime) or not FLOOR <= value <= self.now + timedelta(days=1):
            return None
        return value.replace(tzinfo=self.naive).astimezone(UTC)

    def born(self, document: dict[str, Any]) -> datetime | None:
        return self.sane(document.get("created_at")) or document["_id"].generation_time

    def life(self, one: dict[str, Any]) -> tuple[datetime, datetime | None, bool, str, Any] | None:
        expires = one.get("expires_at")
        if one["status"] not in ("active", "cancelled", "expired", "suspended", "inactive"):
            return None
        if one["plan_id"] not in self.prices or not (expires is None or isinstance(expires, datetime | DatetimeMS)):
            return None
        activated, updated = self.sane(one.get("activated_at")), self.sane(one.get("updated_at"))
        if one["status"] == "inactive" and activated is None:
            return None
        start = max(at for at in (self.born(one), activated) if at is not None)
        over = self.over(expires)
        guess = not (one["status"] == "active" or (one["status"] == "expired" and over is not None))
        end = min((at for at in (over, updated) if at is not None), default=start) if guess else over
        return start, None if end is None else max(start, end), guess, one["customer_id"], one["plan_id"]

    def over(self, expires: Any) -> datetime | None:
        if not isinstance(expires, datetime) or expires > self.now + timedelta(days=1):
            return None
        return self.sane(expires) or FLOOR

    def row(self, day: date) -> dict[str, Any]:
        begin = datetime.combine(day, time.min, ROME).astimezone(UTC)
        end = datetime.combine(day + timedelta(days=1), time.min, ROME).astimezone(UTC)
        active = self.active(end)
        before, after = self.mrr(self.active(begin)), self.mrr(active)
        revenue: dict[str, list[int]] = {}
        for life in self.lives:
            name, price, mrr, lifetime = self.prices[life[4]]
            held = revenue.setdefault(name.replace(".", "_"), [0, 0])
            held[0] += (mrr if life in active else 0) + (price if lifetime and life[0] < end else 0)
            held[1] += life in active
        mrr = sum(after.values())
        return {
            "total_customers": sum(1 for at in self.came if at < end),
            "paying_customers": len({life[3] for life in active if self.prices[life[4]][1] > 0}),
            "mrr": mrr / 100,
            "arr": mrr * 12 / 100,
            "new_customers": sum(1 for at in self.came if begin <= at < end),
            "churned_customers": sum(1 for who, had in before.items() if had > 0 and not after.get(who)),
            "active_licenses": len(active),
            "one_time_revenue": sum(self.sold(life) for life in self.lives if begin <= life[0] < end) / 100,
            "revenue_by_plan": {
                name: {"revenue": cents / 100, "count": count}
                for name, (cents, count) in sorted(revenue.items())
                if cents or count
            },
            "guessed": any(life[2] for life in active),
        }

    def active(self, end: datetime) -> list[Any]:
        return [life for life in self.lives if life[0] < end and (life[1] is None or life[1] >= end)]

    def sold(self, life: Any) -> int:
        _, price, _, lifetime = self.prices[life[4]]
        return price if lifetime else 0

    def mrr(self, active: list[Any]) -> dict[str, int]:
        found: dict[str, int] = {}
        for life in active:
            found[life[3]] = found.get(life[3], 0) + self.prices[life[4]][2]
        return found


def reconstructed(db: Database, config: Any, last: date | None = None, **options: bool) -> Backfill:
    past = Backfill(db, config)
    defaults = {"over_dashboard": False, "again": False}
    past.write(past.plan(last=last), advance=lambda _: None, **(defaults | options))
    return past


@pytest.mark.parametrize("naive", ["UTC", "Europe/Rome", "America/New_York"])
def test_every_day_equals_an_independent_recount(mongo_uri: str, database: Database, naive: str) -> None:
    config = shop.config_for(mongo_uri, database, time={"naive_zone": naive})

    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(shop_documents())
    def check(documents: dict[str, list[dict[str, Any]]]) -> None:
        for name in COLLECTIONS:
            database.drop_collection(name)
        for name, found in documents.items():
            if found:
                database[name].insert_many(found)
        past = reconstructed(database, config, LAST)
        recount = Recount(documents, past.now, ZoneInfo(naive))
        rows = list(database.historical_analytics.find({"period_type": "daily"}).sort("date", 1))
        born = [*recount.came, *(life[0] for life in recount.lives)]
        if born:
            assert rows[0]["date"].date() <= min(born).astimezone(ROME).date()
            assert rows[-1]["date"].date() == LAST
        for before, row in zip([None, *rows], rows, strict=False):
            assert before is None or row["date"] - before["date"] == timedelta(days=1)
            expected = recount.row(row["date"].date())
            guessed = expected.pop("guessed")
            assert {name: row[name] for name in expected} == expected, row["date"]
            assert ("some_ends" in row["unknown"]) == guessed
            assert row["reconstructed"] is True
            assert list(row["revenue_by_plan"]) == sorted(row["revenue_by_plan"])

    check()


# -- existing rows ------------------------------------------------------------------------------------------


def old_shop(db: Database, months: int = 14) -> date:
    """Insert a customer with a pro license, created some months ago; return the day of creation."""
    plans = shop.plans(db)
    came = clock.now() - timedelta(days=30 * months)
    owner = shop.customer(db, "TechCorp", created_at=came)
    shop.license(db, owner, plans["pro"], created_at=came)
    return came.astimezone(ROME).date()


def row(db: Database, day: date) -> dict[str, Any]:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    found = db.historical_analytics.find_one({"date": at, "period_type": "daily"})
    assert found is not None
    return found


def insert_row(db: Database, day: date, **fields: Any) -> dict[str, Any]:
    numbers = dict.fromkeys(("total_customers", "paying_customers", "mrr", "arr"), 77)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    made = {"date": at, "period_type": "daily", **numbers, **fields}
    db.historical_analytics.insert_one(made)
    return made


def test_measured_and_dashboard_rows_are_kept_unless_over_dashboard_is_set(mongo_uri: str, database: Database) -> None:
    came = old_shop(database)
    days = [came + timedelta(days=n) for n in (1, 2, 3, 4)]
    measured = [insert_row(database, days[0], final=True, revision=3), insert_row(database, days[1], revision=0)]
    dashboards = [insert_row(database, days[2], notes="Scritto a mano"), insert_row(database, days[3], notes="")]
    config = shop.config_for(mongo_uri, database)
    reconstructed(database, config)

    assert [row(database, day) for day in days] == [*measured, *dashboards]
    assert row(database, came)["mrr"] == 7.99
    assert row(database, came)["auto_notes"] == "🎉 1 nuovo cliente • 🎫 1 nuova licenza"
    reconstructed(database, config, over_dashboard=True)
    assert [row(database, day) for day in days[:2]] == measured
    overwritten = row(database, days[2])
    assert (overwritten["mrr"], overwritten["notes"], overwritten["reconstructed"]) == (7.99, "Scritto a mano", True)
    assert overwritten["first_reported"]["mrr"] == 77
    assert overwritten["_id"] == dashboards[0]["_id"]


def test_a_note_that_a_person_edited_survives_a_second_reconstruction(mongo_uri: str, database: Database) -> None:
    came = old_shop(database)
    config = shop.config_for(mongo_uri, database)
    reconstructed(database, config)
    edited = {"date": row(database, came)["date"]}
    database.historical_analytics.update_one(edited, {"$set": {"notes": "Il primo cliente!"}})
    database.customers.insert_one({"created_at": clock.now() - timedelta(days=420), "name": "found later"})
    reconstructed(database, config, again=True)

    assert row(database, came)["notes"] == "Il primo cliente!"
    assert row(database, came + timedelta(days=30))["total_customers"] == 2
    assert "first_reported" not in row(database, came) or row(database, came)["first_reported"] is None


def test_months_have_the_levels_of_their_last_day_and_the_sums_of_their_days(
    mongo_uri: str, database: Database
) -> None:
    came = old_shop(database)
    second = {"created_at": clock.now() - timedelta(days=300), "name": "B"}
    database.customers.insert_many([second, {**second, "_id": ObjectId(), "name": "C"}])
    config = shop.config_for(mongo_uri, database)
    reconstructed(database, config)
    months = list(database.historical_analytics.find({"period_type": "monthly"}).sort("date", 1))
    running = clock.now().astimezone(ROME).date().replace(day=1)

    assert months[0]["date"].date() == came.replace(day=1), "the first month starts with the shop"
    assert months[-1]["date"].date() == (running - timedelta(days=1)).replace(day=1)
    for month in months:
        within = {"period_type": "daily", "date": {"$gte": month["date"], "$lt": month["date"] + timedelta(days=31)}}
        days = [
            d
            for d in database.historical_analytics.find(within).sort("date", 1)
            if d["date"].month == month["date"].month
        ]
        assert month["new_customers"] == sum(day["new_customers"] for day in days)
        levels = ("total_customers", "paying_customers", "mrr", "arr", "revenue_by_plan", "active_licenses")
        assert [month[name] for name in levels] == [days[-1][name] for name in levels]
        assert month["reconstructed"] is True
        assert set(month["unknown"]) == {"deleted_documents", "past_plans_and_prices", "interruptions"}
    assert [month["auto_notes"] for month in months if month["new_customers"] == 2] == ["🎉 2 nuovi clienti"]
    measured = {"_id": months[3]["_id"]}
    database.historical_analytics.update_one(
        measured, {"$set": {"final": True, "mrr": 1.0}, "$unset": {"reconstructed": 1}}
    )
    reconstructed(database, config, again=True)
    assert database.historical_analytics.find_one(measured)["mrr"] == 1.0  # type: ignore[index]


def test_it_ends_the_day_before_the_ledger_starts_and_never_changes_the_daemons_days(
    mongo_uri: str, database: Database
) -> None:
    old_shop(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        pass
    reconstructed(database, config)
    newest = database.historical_analytics.find_one({"period_type": "daily"}, sort=[("date", -1)])
    opening = database.analytics_ledger.find_one(sort=[("_id", 1)])

    assert newest is not None and opening is not None
    assert newest["date"] == opening["day"] - timedelta(days=1)
    assert newest["mrr"] == 7.99


def test_an_interrupted_run_is_continued_where_it_stopped(mongo_uri: str, database: Database) -> None:
    old_shop(database, months=40)
    config = shop.config_for(mongo_uri, database)
    past = Backfill(database, config)
    plan = past.plan()
    assert len(plan.ranges) >= 3

    def stop_after(count: int) -> Callable[[int], object]:
        seen: list[int] = []

        def advance(days: int) -> None:
            seen.append(days)
            if len(seen) == count:
                raise KeyboardInterrupt

        return advance

    with pytest.raises(KeyboardInterrupt):
        past.write(plan, over_dashboard=False, again=False, advance=stop_after(2))
    existing = {one["_id"] for one in database.historical_analytics.find({"period_type": "daily"}, {"_id": 1})}
    written = past.write(past.plan(), over_dashboard=False, again=False, advance=lambda _: None)

    assert [day_range for day_range, _ in plan.ranges[2:]] == written
    whole = list(database.historical_analytics.find({"period_type": "daily"}))
    assert existing < {one["_id"] for one in whole}
    assert len(whole) == sum(day_range.days for day_range, _ in plan.ranges)
    assert past.write(past.plan(), over_dashboard=False, again=False, advance=lambda _: None) == []


def test_the_command_shows_its_plan_and_then_executes_it(mongo_uri: str, database: Database) -> None:
    old_shop(database)
    database.customers.insert_one({"_id": "no date", "name": "B"})
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}
    status, output = run_once("backfill", "--dry-run", **environment)
    assert status == 0, output
    assert "1 undated customers" in output
    assert "1 customers, 1 paying, MRR €7.99" in output
    assert database.historical_analytics.count_documents({}) == 0
    status, output = run_once("backfill", **environment)
    assert status == 0, output

    assert database.historical_analytics.count_documents({}) > 400
    assert "undated_customers" in database.historical_analytics.find_one({})["unknown"]  # type: ignore[index]
    status, output = run_once("backfill", **environment)
    assert "0 days computed in 0 steps" in output
    status, output = run_once("backfill", "--dry-run", **environment)
    assert "already done" in output


def test_ctrl_c_also_ends_the_servers_operation_and_the_next_run_completes_it(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    came = clock.now() - timedelta(days=4000)
    owners = [ObjectId() for _ in range(20_000)]
    database.customers.insert_many(
        [{"_id": one, "created_at": came + timedelta(hours=n)} for n, one in enumerate(owners)]
    )
    database.licenses.insert_many(
        [
            {"customer_id": one, "plan_id": plans["pro"], "status": "active", "created_at": came + timedelta(hours=n)}
            for n, one in enumerate(owners)
        ]
    )
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "daemon", "backfill"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: database.historical_analytics.count_documents({}) > 0, "the first rows")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        stderr = process.stderr.read()
    at_stop = database.historical_analytics.count_documents({"period_type": "daily"})

    assert (process.returncode, "run the same command again to continue" in stderr) == (130, True), stderr
    assert 0 < at_stop < 3900
    running = shop.operations(database, {"$currentOp": {}}, {"$match": {"command.aggregate": "licenses"}})
    assert [op for op in running if op.get("ns", "").startswith(database.name)] == []
    assert run_once("backfill", MONGODB_URI=mongo_uri, MONGODB_DATABASE=database.name)[0] == 0
    assert database.historical_analytics.count_documents({"period_type": "daily"}) == 4000
    last = database.historical_analytics.find_one({"period_type": "daily"}, sort=[("date", -1)])
    assert last is not None
    assert last["active_licenses"] == 20_000
