"""Customers of a running shop: list, filters, search, history, and what to do today, against the source."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from bson import Binary, Decimal128, ObjectId

from daemon import clock
from daemon.demo.simulator import Dashboard
from daemon.diagnostics.customers import Customers, Standing, export_todo
from daemon.mongo.types import Database
from daemon.runtime import metrics
from daemon.store import forgotten
from daemon.store.customers import customer_list, customer_search, owned, todo_reader
from daemon.store.customers.customer_list import CustomerFilter, CustomerList, CustomerQuery, Order
from daemon.store.customers.customer_search import CustomerSearch, TooManyFound
from rules.insights.todo import TodoKind
from rules.settings.settings import Settings
from tests import oracle, shop
from tests.customers import assert_customers_add_up, customers
from tests.system.test_process import run_once

NOON = datetime(2026, 11, 27, 11, tzinfo=UTC)
HOSTILE = ("<script>alert(1)</script>", "=HYPERLINK(1)", "\u202eevil", "{{ 7*7 }}", "a\nb\x00c", "A" * 40_000)


@pytest.fixture
def daemon(mongo_uri: str, database: Database) -> Iterator[Database]:
    """Run the daemon; the plans are in the database."""
    shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        yield database


def plan(db: Database, name: str) -> ObjectId:
    return ObjectId(db.plans.find_one({"name": name})["_id"])  # type: ignore[index]


def caught_up(db: Database) -> None:
    shop.until(lambda: oracle.totals(db) == oracle.recount(db), "the totals")


def names(found: Customers, query: CustomerQuery) -> list[str]:
    return [line.name for line in found.each(query)]


def test_at_every_instant_of_a_random_story_the_customers_add_up_to_the_totals(
    mongo_uri: str, database: Database
) -> None:
    chance = Random(20)
    dashboard = Dashboard(database, chance, pays=True)
    dashboard.set_up(clock.now())
    for _ in range(20):
        dashboard.step(clock.now())
    with shop.running(shop.config_for(mongo_uri, database, reconciliation={"max_deleted": 100})):
        for _ in range(25):
            for _ in range(4):
                dashboard.step(clock.now())
            if chance.random() < 0.2 and dashboard.licenses:
                dashboard.delete_license(clock.now())
            with customers(database) as found:
                total = database.analytics_checkpoint.find_one({"_id": "checkpoint"}, session=found.session)
                assert total is not None
                lines = list(found.each(CustomerQuery(chance.choice(tuple(Order)))))
                sums = sum(line.mrr_cents for line in lines), found.mrr_cents()
                assert sums == (total["totals"]["mrr_cents"],) * 2
        caught_up(database)
    assert_customers_add_up(database)


def test_each_order_and_filter_lists_the_customers_of_the_source(daemon: Database) -> None:
    pro, agency, founders = plan(daemon, "pro"), plan(daemon, "agency"), plan(daemon, "founders")
    now = clock.now()
    days = {"élan": 5, "Zeta": 1, "alfa": 3, "Beta": 2, "gratis": 4}
    ids = {name: shop.customer(daemon, name, created_at=now - timedelta(age)) for name, age in days.items()}
    shop.license(daemon, ids["Zeta"], agency, expires_at=now + timedelta(3))
    shop.license(daemon, ids["Zeta"], pro, status="cancelled")
    shop.license(daemon, ids["alfa"], pro, expires_at=now + timedelta(30))
    shop.license(daemon, ids["Beta"], founders)
    lost = shop.license(daemon, ids["élan"], pro)
    caught_up(daemon)
    daemon.licenses.update_one({"_id": lost}, {"$set": {"status": "cancelled"}})
    caught_up(daemon)

    with customers(daemon) as found:
        assert names(found, CustomerQuery(Order.NAME)) == ["alfa", "Beta", "élan", "gratis", "Zeta"]
        assert names(found, CustomerQuery(Order.REGISTERED)) == ["Zeta", "Beta", "alfa", "gratis", "élan"]
        assert names(found, CustomerQuery(Order.MRR))[:2] == ["Zeta", "alfa"]
        only = {one: set(names(found, CustomerQuery(only=one))) for one in CustomerFilter}
        on_pro = names(found, CustomerQuery(plan_id=pro))
        standing = {line.name: line.standing for line in found.each(CustomerQuery())}
    assert only == {
        CustomerFilter.ALL: set(days),
        CustomerFilter.PAYING: {"Zeta", "alfa", "Beta"},
        CustomerFilter.LIFETIME: {"Beta"},
        CustomerFilter.WITHOUT: {"élan", "gratis"},
        CustomerFilter.LOST: {"élan"},
        CustomerFilter.RETURNED: set(),
        CustomerFilter.EXPIRING: {"Zeta"},
    }
    assert on_pro == ["alfa"]
    assert standing == {
        "Zeta": Standing.PAYING,
        "alfa": Standing.PAYING,
        "Beta": Standing.LIFETIME,
        "élan": Standing.LOST,
        "gratis": Standing.WITHOUT,
    }


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("few", [0, 2000])
def test_pages_of_any_size_contain_every_customer_once(
    daemon: Database, monkeypatch: pytest.MonkeyPatch, order: Order, few: int
) -> None:
    """With many customers of one plan their list is walked, with few these are read: both give the same."""
    monkeypatch.setattr(owned, "FEW_LICENSES", few)
    monkeypatch.setattr(customer_list, "CHUNK", 3)
    pro, strange = plan(daemon, "pro"), [7, "s.1", Binary(b"x" * 16, 4), Decimal128("1.5"), {"$date": 0}["$date"]]
    for number, doc_id in enumerate([*strange, *(ObjectId() for _ in range(12))]):
        named: Any = {"name": f"N{number % 4}"} if number % 5 else {"name": number} if number % 2 else {}
        dated: Any = {"created_at": [NOON, "ieri", NOON - timedelta(days=number)][number % 3]} if number % 4 else {}
        daemon.customers.insert_one({"_id": doc_id, "email": f"{number}@x.it", **named, **dated})
        shop.license(daemon, doc_id, pro)
    caught_up(daemon)

    with customers(daemon) as found:
        seen: list[Any] = []
        query = CustomerQuery(order, plan_id=pro)
        while True:
            page = found.page(query, 4)
            seen += [line.id for line in page.lines]
            if not page.has_more:
                break
            query = query._replace(order=page.order, after=page.lines[-1].id)
        back: list[Any] = []
        while page.has_previous:
            back = [line.id for line in page.lines] + back
            page = found.page(query._replace(after=None, before=page.lines[0].id), 4)
    assert len(seen) == len(set(map(str, seen))) == 17
    assert [line.id for line in page.lines] + back == seen


@pytest.mark.parametrize("order", [Order.NAME, Order.REGISTERED])
def test_an_index_has_the_order_by_name_and_by_registration(daemon: Database, order: Order) -> None:
    first, last = (shop.customer(daemon, name) for name in "ab")
    caught_up(daemon)

    with daemon.client.start_session() as session:
        listed = CustomerList(daemon, session, CustomerSearch(daemon, forgotten.load(daemon)), clock.now())
        for query in (CustomerQuery(order), CustomerQuery(order, after=first), CustomerQuery(order, before=last)):
            found: Any = listed._sorted({}, order, query, None)
            stages = found.explain()["queryPlanner"]["winningPlan"].raw
            assert b"customers_by_" in stages and b"SORT\0" not in stages


def test_a_page_before_the_second_customer_is_the_first_page(daemon: Database) -> None:
    ids = [shop.customer(daemon, name) for name in "abcde"]
    caught_up(daemon)

    with customers(daemon) as found:
        page = found.page(CustomerQuery(Order.NAME, before=ids[1]), 3)
    assert [line.name for line in page.lines] == ["a", "b", "c"]
    assert (page.has_previous, page.has_more) == (False, True)


@pytest.mark.parametrize("few", [0, 2000])
def test_customers_who_pay_again_after_a_time_without_are_the_returned_ones(
    mongo_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(owned, "FEW_RETURNED", few)
    pro = shop.plans(database)["pro"]
    config = shop.config_for(mongo_uri, database, rules={"thresholds": {"plan_change_minutes": 0}})
    with shop.running(config):
        sold = {name: shop.license(database, shop.customer(database, name), pro) for name in ("torna", "resta", "esce")}
        for status, moving in (
            ("cancelled", ("torna", "esce")),
            ("active", ("torna", "esce")),
            ("cancelled", ("esce",)),
        ):
            for name in moving:
                database.licenses.update_one({"_id": sold[name]}, {"$set": {"status": status}})
            caught_up(database)

    with customers(database) as found:
        page = found.page(CustomerQuery(only=CustomerFilter.RETURNED), 50)
    assert [line.name for line in page.lines] == ["torna"]


def test_customers_stored_by_an_older_program_are_sorted_by_name_too(daemon: Database) -> None:
    ids = [shop.customer(daemon, name) for name in ("Zeta", "Àncora", "anche")]
    caught_up(daemon)
    daemon.analytics_mirror.drop_index("customers_by_name")
    daemon.analytics_mirror.update_many({"_id.id": {"$in": ids}}, {"$unset": {"sort_name": ""}})

    with customers(daemon) as found:
        assert names(found, CustomerQuery(Order.NAME)) == ["anche", "Àncora", "Zeta"]


def test_a_search_finds_a_part_of_a_name_in_any_unicode_form(daemon: Database) -> None:
    for name in ("Caffe\u0301 dell’Olio", "STRAẞE", "Studio Rossi", "ﬁnanza", "rossi\u200btech"):
        shop.customer(daemon, name)
    shop.customer(daemon, "", company="Rossi & C.")
    caught_up(daemon)

    with customers(daemon) as found:
        assert len(names(found, CustomerQuery(wanted="caffé"))) == 1
        assert len(names(found, CustomerQuery(wanted="DELL'OLIO"))) == 1
        assert len(names(found, CustomerQuery(wanted="strasse"))) == 1
        assert len(names(found, CustomerQuery(wanted="FINANZA"))) == 1
        assert set(names(found, CustomerQuery(wanted="rossi"))) == {"Studio Rossi", "Rossi & C.", "rossitech"}
        assert names(found, CustomerQuery(wanted="ros.*")) == []
        assert names(found, CustomerQuery(wanted="rossi", only=CustomerFilter.PAYING)) == []


def test_a_search_that_finds_too_many_or_takes_too_long_is_refused(
    daemon: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        shop.customer(daemon, f"Rossi {number}")
    caught_up(daemon)
    with customers(daemon) as found:
        slow = CustomerSearch(daemon, found.forgotten, timedelta(seconds=-1))
        with pytest.raises(TooManyFound):
            slow.find("rossi", found.session)
        monkeypatch.setattr(customer_search, "MAX_FOUND", 3)
        with pytest.raises(TooManyFound):
            found.page(CustomerQuery(wanted="rossi"), 2)


def test_hostile_names_and_sort_keys_are_listed(daemon: Database) -> None:
    for name in (*HOSTILE, 7, None, ["b", "a"], {"x": 1}):
        daemon.customers.insert_one({"name": name, "created_at": name, "email": str(ObjectId())})
    caught_up(daemon)

    with customers(daemon) as found:
        for order in Order:
            assert len(list(found.each(CustomerQuery(order)))) == len(HOSTILE) + 4
        lines = list(found.each(CustomerQuery()))
    assert all(len(line.name) <= 60 and line.name.isprintable() for line in lines)


def test_the_steps_of_a_customer_have_their_events_and_add_up(daemon: Database) -> None:
    who = shop.customer(daemon, "Chi resta")
    caught_up(daemon)
    license = shop.license(daemon, who, plan(daemon, "pro"))
    caught_up(daemon)
    daemon.licenses.update_one({"_id": license}, {"$set": {"plan_id": plan(daemon, "agency")}})
    caught_up(daemon)
    daemon.licenses.update_one({"_id": license}, {"$set": {"status": "cancelled"}})
    caught_up(daemon)
    daemon.licenses.update_one({"_id": license}, {"$set": {"status": "active"}})
    caught_up(daemon)
    shop.until(lambda: daemon.business_events.count_documents({"customer_id": who}) >= 5, "the events")

    with customers(daemon) as found:
        account = found.account(who)
    assert account is not None
    steps = [step for step in account.history.steps if step.line is not None]
    assert [step.mrr_after for step in steps] == [1999, 0, 1999, 799, 0]
    assert [step.event and step.event["event_type"] for step in steps] == [
        "license_activated",
        "license_cancelled",
        "plan_upgraded",
        "license_created",
        "new_customer",
    ]
    assert account.history.before == 0
    assert_customers_add_up(daemon)


def test_paid_is_what_was_completed_less_what_was_refunded_and_unknown_without_payments(daemon: Database) -> None:
    who = shop.customer(daemon, "Paga")
    caught_up(daemon)
    with customers(daemon) as found:
        assert [line.paid_cents for line in found.each(CustomerQuery())] == [None]
    for status, amount in (("completed", 7.99), ("completed", 19.99), ("refunded", 2.99), ("failed", 5.0)):
        daemon.payments.insert_one(
            {"customer_id": who, "license_id": None, "status": status, "amount": amount, "currency": "EUR"}
        )
    shop.until(lambda: daemon.analytics_mirror.count_documents({"_id.k": "payments"}) == 4, "the payments")

    with customers(daemon) as found:
        assert [line.paid_cents for line in found.each(CustomerQuery())] == [2798]


def test_a_forgotten_customer_has_no_name_and_is_found_by_no_search(daemon: Database) -> None:
    who = shop.customer(daemon, "Mario Segreto", company="Segreto Srl")
    shop.license(daemon, who, plan(daemon, "pro"))
    caught_up(daemon)
    forgotten.add(daemon, forgotten.prepare(daemon), who, clock.now())
    daemon.analytics_mirror.update_one(
        {"_id": {"k": "customers", "id": who}}, {"$set": {"fields.name": "Mario Segreto"}}
    )

    with customers(daemon) as found:
        account = found.account(who)
        listed = list(found.each(CustomerQuery()))
        for text in ("segreto", "mario", "cliente rimosso", "rimosso"):
            assert names(found, CustomerQuery(wanted=text)) == []
    assert account is not None
    assert (account.line.is_forgotten, account.line.name, account.line.mrr_cents) == (True, "", 799)
    assert "Segreto" not in str(account)
    assert [(line.is_forgotten, line.name) for line in listed] == [(True, "")]


def test_what_to_do_today(daemon: Database) -> None:
    now, pro = clock.now(), plan(daemon, "pro")
    ids = {
        name: shop.customer(daemon, name, created_at=now - timedelta(age))
        for name, age in {"scade": 90, "abitudine": 90, "fallito": 60, "pagato": 60, "perso": 90, "tornato": 90,
                          "senza": 10, "appena": 2, "vecchio": 40, "aveva": 10}.items()
    }  # fmt: skip
    shop.customer(daemon, "Manual License", email=Settings().manual_email, created_at=now - timedelta(10))
    shop.license(daemon, ids["scade"], pro, expires_at=now + timedelta(3))
    habitual = shop.license(daemon, ids["abitudine"], pro, expires_at=now + timedelta(2))
    shop.license(daemon, ids["vecchio"], pro, expires_at=now + timedelta(20))
    lost, back, failed, paid = (
        shop.license(daemon, ids[name], pro) for name in ("perso", "tornato", "fallito", "pagato")
    )
    shop.license(daemon, ids["aveva"], pro, status="suspended")
    caught_up(daemon)
    for license in (lost, back):
        daemon.licenses.update_one({"_id": license}, {"$set": {"status": "cancelled"}})
    caught_up(daemon)
    daemon.licenses.update_one({"_id": back}, {"$set": {"status": "active"}})
    caught_up(daemon)
    for at in (40, 70):
        _event(daemon, "license_renewed", ids["abitudine"], habitual, now - timedelta(at))
    later = clock.now()  # the sale of each license is a completed payment
    for customer, license in (("fallito", failed), ("pagato", paid)):
        for seconds in (1, 2):
            _event(daemon, "payment_failed", ids[customer], license, later + timedelta(seconds=seconds), 7.99)
    _event(daemon, "payment_completed", ids["pagato"], paid, later + timedelta(seconds=3), 7.99)
    _event(daemon, "payment_failed", ids["scade"], None, now - timedelta(40), 7.99)

    with customers(daemon) as found:
        groups = found.todo(now.date())
        who = {one: line.name for one, line in found.of_items(groups).items()}
    shown = {group.kind: [who[item.customer_id] for item in group.items] for group in groups}
    assert shown == {
        TodoKind.PAYMENT_FAILED: ["fallito"],
        TodoKind.EXPIRING: ["scade"],
        TodoKind.LOST: ["perso"],
        TodoKind.WITHOUT_LICENSE: ["senza"],
    }
    by_kind = {group.kind: group for group in groups}
    expiring = by_kind[TodoKind.EXPIRING]
    assert (expiring.total, expiring.habitual, expiring.others, expiring.cents) == (2, 1, 0, 799)
    assert by_kind[TodoKind.PAYMENT_FAILED].cents == by_kind[TodoKind.LOST].cents == 799


def test_more_than_five_of_a_kind_are_counted(daemon: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(todo_reader, "MOST_EXPIRING", 10)
    now, pro = clock.now(), plan(daemon, "pro")
    for number in range(12):
        shop.license(daemon, shop.customer(daemon, f"N{number}"), pro, expires_at=now + timedelta(1 + number / 10))
    caught_up(daemon)

    with customers(daemon) as found:
        (group,) = found.todo(now.date())
    assert (len(group.items), group.total, group.others, group.unread, group.cents) == (5, 12, 5, 2, None)


def test_the_licenses_of_a_large_shop_that_are_not_renewed_by_habit_are_found(daemon: Database) -> None:
    now, pro = clock.now(), plan(daemon, "pro")
    one = shop.license(daemon, shop.customer(daemon, "Ultimo"), pro, expires_at=now + timedelta(13))
    caught_up(daemon)
    last = daemon.analytics_mirror.find_one({"_id.id": one})
    assert last is not None
    ids = [ObjectId() for _ in range(400)]
    others = [{**last, "_id": {**last["_id"], "id": other}, "due": now + timedelta(1)} for other in ids]
    daemon.analytics_mirror.insert_many(others)
    renewal = {"event_type": "license_renewed", "event_date": now, "metadata": {}}
    daemon.business_events.insert_many([{**renewal, "license_id": other} for other in ids * 2])

    with customers(daemon) as found:
        (group,) = found.todo(now.date())
    assert [item.license_id for item in group.items] == [one]
    assert (group.total, group.habitual, group.others, group.unread, group.cents) == (401, 400, 0, 0, 799)


def test_a_payment_behind_many_others_recovers_and_more_failures_than_are_read_are_said(
    daemon: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, who = clock.now(), shop.customer(daemon, "Tanti")
    caught_up(daemon)
    for license in ("a", "b"):
        _event(daemon, "payment_failed", who, license, now - timedelta(9), 7.99)
    _event(daemon, "payment_completed", who, "a", now - timedelta(8), 7.99)
    of_others = {
        "event_type": "payment_completed",
        "event_date": now - timedelta(1),
        "customer_id": who,
        "amount": 7.99,
    }
    daemon.business_events.insert_many([{**of_others, "license_id": f"c{number}"} for number in range(250)])
    with customers(daemon) as found:
        (all_read,) = found.todo(now.date())
    monkeypatch.setattr(todo_reader, "MOST", 2)
    with customers(daemon) as found:
        (some_read,) = found.todo(now.date())

    assert ([item.license_id for item in all_read.items], all_read.has_more, all_read.cents) == (["b"], False, 799)
    assert (some_read.total, some_read.has_more, some_read.cents) == (1, True, None)


def test_the_metrics_count_what_is_to_do_without_names(daemon: Database) -> None:
    shop.license(daemon, shop.customer(daemon, "Nome"), plan(daemon, "pro"), expires_at=clock.now() + timedelta(3))
    caught_up(daemon)
    export_todo(daemon, Settings())

    found = {kind: metrics.REGISTRY.get_sample_value("chatello_analytics_todo", {"kind": kind}) for kind in TodoKind}
    assert found == {kind: float(kind is TodoKind.EXPIRING) for kind in TodoKind}


def test_the_command_shows_licenses_and_steps(mongo_uri: str, daemon: Database) -> None:
    who = shop.customer(daemon, "Dell’Olio", email="olio@example.com")
    shop.license(daemon, who, plan(daemon, "pro"))
    caught_up(daemon)
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": daemon.name}
    status, output = run_once("customer", str(who), **environment)
    unknown, _ = run_once("customer", "nowhere", **environment)

    assert (status, unknown == 0) == (0, False)
    assert "Dell’Olio: paying, MRR 7.99" in output
    assert "Nuova licenza Pro" in output
    assert "olio@" not in output


def test_an_empty_shop_has_nothing_to_do(daemon: Database) -> None:
    with customers(daemon) as found:
        assert found.todo(clock.now().date()) == []
        assert found.page(CustomerQuery(), 50) == ([], False, False, Order.MRR)


def _event(db: Database, kind: str, customer: Any, license: Any, at: Any, amount: float | None = None) -> None:
    event = {"event_type": kind, "event_date": at, "customer_id": customer, "license_id": license, "amount": amount}
    db.business_events.insert_one({**event, "description": kind, "currency": "EUR"})
