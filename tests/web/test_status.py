"""What the page knows of business and daemon, on a real replica set: numbers, and each trouble with its cure."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from daemon import clock
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.store.ledger.totals import MovementsByMonth, current_totals
from daemon.web.context import WebContext
from daemon.web.page import figures, status, texts
from rules import business_days
from rules.model.changes import Plan
from rules.model.ledger import MovementKind, PlanTotals, Totals
from rules.model.states import PlanState
from tests import shop
from tests.oracle import recount, totals


@pytest.fixture
def house(mongo_uri: str, database: Database) -> Iterator[WebContext]:
    config = shop.config_for(mongo_uri, database)
    shop.plans(database)
    with shop.running(config) as run:
        yield WebContext(database, lambda: config, run.progress)


def findings(house: WebContext) -> list[status.StatusLine]:
    return status.findings(house, clock.now())


def trouble(house: WebContext) -> dict[str, tuple[str, str]]:
    """What wants a look, by name: what is said, and what to do."""
    return {one.name: (one.text, one.cure) for one in findings(house) if one.cure}


def test_a_daemon_that_follows_has_nothing_to_be_cured(house: WebContext) -> None:
    found = findings(house)

    assert trouble(house) == {}
    assert status.summary(found) == texts.ALL_WELL
    assert {one.name: one.text for one in found}[texts.FOLLOWING] == texts.ROLES["leader"]


def test_a_held_document_is_told_with_its_reason_and_what_to_do(house: WebContext, database: Database) -> None:
    shop.license(database, shop.customer(database, "A"), database.plans.find_one({})["_id"], status=["<b>"])  # type: ignore[index]
    wait_for(lambda: database.analytics_dead_letters.count_documents({"state": "held"}) == 1, "the dead letter")
    found = next(one for one in findings(house) if one.name == texts.DEAD_LETTERS)

    assert (found.text, found.cure) == ("1 non si capisce", texts.DEAD_LETTERS_CURE)
    assert found.details[0].startswith("licenses ")
    assert "status" in found.details[0]


def test_gaps_are_told_while_open_and_for_a_month(house: WebContext, database: Database) -> None:
    now = clock.now()
    gap = {"cause": "drop", "since": now - timedelta(hours=2), "opened_at": now, "closed_at": now, "until": now}
    made = database.analytics_gaps.insert_one({**gap, "recovered": {"customers": 3}}).inserted_id
    closed = next(one for one in findings(house) if one.name == texts.GAPS)
    assert (closed.text, closed.cure) == ("1 negli ultimi 30 giorni, chiusa", "")
    assert "una collezione è stata eliminata, recuperati 3 documenti" in closed.details[0]
    database.analytics_gaps.update_one({"_id": made}, {"$set": {"recovered": {"customers": 1}}})
    closed = next(one for one in findings(house) if one.name == texts.GAPS)
    assert closed.details[0].endswith("recuperato 1 documento")

    database.analytics_gaps.update_one({"_id": made}, {"$set": {"opened_at": now - timedelta(40)}})
    assert next(one for one in findings(house) if one.name == texts.GAPS).text == texts.GAPS_NONE

    house.progress.set_role("waiting", clock.monotonic(), "too many")
    assert trouble(house)[texts.FOLLOWING] == (texts.ROLES["waiting"], texts.ROLE_CURES["waiting"])


def test_a_day_that_nobody_closed_is_named_with_the_command_that_does(house: WebContext, database: Database) -> None:
    today = business_days.business_day(clock.now(), house.config().time.zone)
    closed = {
        "date": business_days.stored(today - timedelta(4)),
        "period_type": "daily",
        "final": True,
        "updated_at": clock.now(),
    }
    database.historical_analytics.insert_one(closed)

    _, cure = trouble(house)[texts.ROLLUP]
    assert f"rollup --date {today - timedelta(3)}" in cure


def test_a_room_that_stands_still_is_told(house: WebContext) -> None:
    stuck = Health()
    stuck.set_role("leader", clock.monotonic())
    stuck.heartbeat("bell", clock.monotonic() - 1000)

    assert texts.STALLED in trouble(WebContext(house.database, house.config, stuck))


def test_a_database_nobody_took_over_is_no_error(mongo_uri: str, database: Database) -> None:
    config = shop.config_for(mongo_uri, database)

    assert current_totals(database, config.time.zone, (1, 7)) is None
    assert trouble(WebContext(database, lambda: config, Health())) == {
        texts.FOLLOWING: (texts.ROLES["starting"], texts.ROLE_CURES["starting"])
    }


def test_the_numbers_are_the_books_and_the_days_before_come_from_ledger_or_table(
    house: WebContext, database: Database
) -> None:
    plan = database.plans.find_one({"name": "pro"})["_id"]  # type: ignore[index]
    for name in "ABC":
        shop.license(database, shop.customer(database, name), plan)
    wait_for(lambda: totals(database) == recount(database), "the books")
    zone = house.config().time.zone
    ledger = database.analytics_ledger
    first = ledger.find_one({}, sort=[("_id", 1)])
    assert first is not None
    ledger.update_one({"_id": first["_id"]}, {"$set": {"day": first["day"] - timedelta(1)}})
    stands = current_totals(database, zone, (1, 7))
    assert stands is not None
    shown = figures.figures(stands, {7: {"mrr": 20.0, "total_customers": 9, "paying_customers": 8}})

    assert [figure.value for figure in shown] == ["€\u00a023,97", "3", "3", "3"]
    assert shown[0].changes == [("+€\u00a023,97", "da ieri", "up"), ("+€\u00a03,97", "in 7 giorni", "up")]
    assert [change.text for change in shown[1].changes] == ["+2", "−6"]
    assert [change.since for change in shown[2].changes] == ["da ieri"]


def test_movements_by_month_follow_the_ledger_and_forget_one_that_was_replaced(
    house: WebContext, database: Database
) -> None:
    pro = database.plans.find_one({"name": "pro"})["_id"]  # type: ignore[index]
    months = MovementsByMonth(database)
    assert months.read(60) == {}

    license = shop.license(database, shop.customer(database, "A"), pro)
    wait_for(lambda: totals(database) == recount(database), "the sale")
    first = months.read(60)
    database.licenses.update_one({"_id": license}, {"$set": {"status": "cancelled"}})
    wait_for(lambda: totals(database) == recount(database), "the cancellation")
    both = months.read(60)

    assert [*(first or {}).values()] == [{MovementKind.NEW: 799}]
    assert [*(both or {}).values()] == [{MovementKind.NEW: 799, MovementKind.CHURN: -799}]
    assert MovementsByMonth(database).read(60) == both
    hasty = MovementsByMonth(database)
    assert hasty.read(-1) is None
    assert hasty.read(60) == both
    database.analytics_ledger.update_many({}, {"$set": {"cause": "another", "mrr_cents": 0}})
    assert months.read(60) == {}


def test_a_deal_says_what_is_left_and_a_plan_its_share() -> None:
    founders = PlanState(1, {}, Plan(1, "founders", "Founders Deal", 2900, 0, True, 500))
    pro = PlanState(2, {}, Plan(2, "pro", "Pro", 799, 799, False))
    sums = Totals(mrr_cents=799, by_plan={1: PlanTotals(3, 2, 0, 8700), 2: PlanTotals(1, 1, 799, 0)})
    deal = figures.deals(sums, {1: founders, 2: pro})[0]

    assert (deal.text, deal.left, deal.income) == ("3 venduti su 500", "497 rimasti", "€\u00a087,00 incassati")
    almost = Totals(by_plan={1: PlanTotals(499, 2, 0, 8700)})
    assert figures.deals(almost, {1: founders})[0].left == "1 rimasto"
    assert [(line.name, line.share) for line in figures.plan_lines(sums, {1: founders, 2: pro})] == [
        ("Pro", "100\u00a0%"),
        ("Founders Deal", texts.DASH),
    ]
    full = Totals(by_plan={1: PlanTotals(600, 500, 0, 0)})
    assert figures.deals(full, {1: founders})[0].left == texts.LIMITED_OVER
