"""Figures and status lines of the page, on a real replica set: each problem has a hint."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.delivery import target_store
from daemon.delivery.schedule import State
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.store import outbox
from daemon.store.ledger.totals import MovementsByMonth, current_totals
from daemon.store.outbox import BEGINNING
from daemon.web.context import WebContext
from daemon.web.page import system_texts, texts
from daemon.web.page.parts import figures, reasons, status
from rules import business_days
from rules.model.changes import Plan
from rules.model.ledger import MovementKind, PlanTotals, Totals
from rules.model.states import PlanState
from rules.settings import italian
from rules.settings.settings import Settings
from tests import shop
from tests.daemon.config.test_targets import SECRET
from tests.mongo.delivery.conftest import sold
from tests.oracle import recount, totals


@pytest.fixture
def context(mongo_uri: str, database: Database) -> Iterator[WebContext]:
    config = shop.config_for(mongo_uri, database)
    shop.plans(database)
    with shop.running(config) as run:
        yield WebContext(database, ActiveConfig(config), run.health)


def status_lines(context: WebContext) -> list[status.StatusLine]:
    return status.status_lines(context, clock.now())


def problems(context: WebContext) -> dict[str, tuple[str, str]]:
    """Return text and hint of each line with a problem, by name."""
    return {one.name: (one.text, one.hint) for one in status_lines(context) if one.hint}


def test_a_leader_without_problems_has_no_hints(context: WebContext) -> None:
    found = status_lines(context)

    assert problems(context) == {}
    assert status.summary(found) == system_texts.ALL_WELL
    assert {one.name: one.text for one in found}[system_texts.FOLLOWING] == system_texts.ROLES["leader"]


def test_an_expired_lease_is_shown_instead_of_a_leader_that_follows(mongo_uri: str, database: Database) -> None:
    health = Health()
    health.set_role("leader", clock.monotonic())
    health.hold_lease(clock.monotonic() - 3)
    context = WebContext(database, ActiveConfig(shop.config_for(mongo_uri, database)), health)
    following = status_lines(context)[0]

    assert (following.text, following.hint) == (system_texts.LEASE_EXPIRED, system_texts.LEASE_HINT)
    assert following.details == ["Da 3 secondi il database non accetta le scritture del sistema."]

    health.hold_lease(clock.monotonic() + 8)
    assert status_lines(context)[0].text == system_texts.ROLES["leader"]


def test_a_held_document_is_shown_with_its_reason_and_a_hint(context: WebContext, database: Database) -> None:
    shop.license(database, shop.customer(database, "A"), database.plans.find_one({})["_id"], status=["<b>"])  # type: ignore[index]
    wait_for(lambda: database.analytics_dead_letters.count_documents({"state": "held"}) == 1, "the dead letter")
    found = next(one for one in status_lines(context) if one.name == system_texts.DEAD_LETTERS)

    assert (found.text, found.hint) == ("1 da correggere", system_texts.DEAD_LETTERS_HINT)
    assert re.fullmatch(r"Licenza \w{24}, campo status: valore non previsto \(\['<b>'\]\)", found.details[0])


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("expires_at must be a date or null, got str 'domani'", "campo expires_at: non è una data («domani»)"),
        ("expires_at must be a date with a time zone, got datetime x", "campo expires_at: non è una data (x)"),
        ("price must be a number, got bool True", "campo price: non è un numero (True)"),
        ("amount must be a finite amount, got float nan", "campo amount: importo non valido (nan)"),
        ("amount must be between 0 and 10, got int -1", "campo amount: importo non valido (-1)"),
        ("is_lifetime must be true or false, got int 1", "campo is_lifetime: serve true o false (1)"),
        ("name must be a text, got NoneType None", "campo name: manca il testo"),
        (
            "currency must be EUR or one with a configured rate, got str 'USD'",
            "campo currency: manca il cambio per «USD», va aggiunto a rates nella configurazione",
        ),
        ("plan_id must be the id of an existing plan, got str 'p'", "campo plan_id: il piano non esiste («p»)"),
        ("plan_id refers to plan 9 (Pro), which was deleted", "campo plan_id: il piano è stato eliminato (9 (Pro))"),
        ("the document is broken", "motivo tecnico (in inglese): the document is broken"),
    ],
)
def test_reasons_of_held_documents_are_in_italian(reason: str, shown: str) -> None:
    letter = {"_id": {"k": "payments", "id": 7}, "reason": reason}

    assert reasons.held(letter) == f"Pagamento 7, {shown}"


def test_gaps_are_shown_while_open_and_for_30_days(context: WebContext, database: Database) -> None:
    now = clock.now()
    gap = {"cause": "drop", "since": now - timedelta(hours=2), "opened_at": now, "closed_at": now, "until": now}
    made = database.analytics_gaps.insert_one({**gap, "recovered": {"customers": 3}}).inserted_id
    closed = next(one for one in status_lines(context) if one.name == system_texts.GAPS)
    assert (closed.text, closed.hint) == ("1 negli ultimi 30 giorni, risolta", "")
    assert "una collezione è stata eliminata, recuperati 3 documenti" in closed.details[0]
    database.analytics_gaps.update_one({"_id": made}, {"$set": {"recovered": {"customers": 1}}})
    closed = next(one for one in status_lines(context) if one.name == system_texts.GAPS)
    assert closed.details[0].endswith("recuperato 1 documento")

    database.analytics_gaps.update_one({"_id": made}, {"$set": {"opened_at": now - timedelta(40)}})
    assert next(one for one in status_lines(context) if one.name == system_texts.GAPS).text == system_texts.GAPS_NONE

    context.health.set_role("waiting", clock.monotonic(), "too many")
    assert problems(context)[system_texts.FOLLOWING] == (
        system_texts.ROLES["waiting"],
        system_texts.ROLE_HINTS["waiting"],
    )


def test_a_missing_row_is_shown_with_the_command_that_writes_it(context: WebContext, database: Database) -> None:
    today = business_days.business_day(clock.now(), context.config().time.zone)
    closed = {
        "date": business_days.stored(today - timedelta(4)),
        "period_type": "daily",
        "final": True,
        "updated_at": clock.now(),
    }
    database.historical_analytics.insert_one(closed)

    _, hint = problems(context)[system_texts.ROLLUP]
    assert f"rollup --date {today - timedelta(3)}" in hint


def test_a_stalled_component_is_shown(context: WebContext) -> None:
    stuck = Health()
    stuck.set_role("leader", clock.monotonic())
    stuck.heartbeat("scheduler", clock.monotonic() - 1000)

    assert system_texts.STALLED in problems(WebContext(context.database, context.active, stuck))


def test_a_database_without_a_checkpoint_is_no_error(mongo_uri: str, database: Database) -> None:
    config = shop.config_for(mongo_uri, database)

    with database.client.start_session(snapshot=True) as session:
        assert current_totals(database, config.time.zone, (1, 7), session) is None
    assert problems(WebContext(database, ActiveConfig(config), Health())) == {
        system_texts.FOLLOWING: (system_texts.ROLES["starting"], system_texts.ROLE_HINTS["starting"])
    }


def test_figures_are_the_current_totals_and_changes_come_from_ledger_or_table(
    context: WebContext, database: Database
) -> None:
    plan = database.plans.find_one({"name": "pro"})["_id"]  # type: ignore[index]
    for name in "ABC":
        shop.license(database, shop.customer(database, name), plan)
    wait_for(lambda: totals(database) == recount(database), "the totals")
    zone = context.config().time.zone
    ledger = database.analytics_ledger
    first = ledger.find_one({}, sort=[("_id", 1)])
    assert first is not None
    ledger.update_one({"_id": first["_id"]}, {"$set": {"day": first["day"] - timedelta(1)}})
    with database.client.start_session(snapshot=True) as session:
        current = current_totals(database, zone, (1, 7), session)
    assert current is not None
    own = {"mrr": 20.0, "total_customers": 9, "paying_customers": 8, "active_licenses": 8, "arr": 240.0}
    shown = figures.figures(current, {7: own})
    of_dashboard = figures.figures(current, {7: {"mrr": 20.0, "total_customers": 9, "paying_customers": 8}})

    assert [figure.value for figure in shown] == ["€\u00a023,97", "3", "3", "3", "€\u00a0287,64"]
    assert shown[0].changes == [("+€\u00a023,97", "da ieri", "up"), ("+€\u00a03,97", "in 7 giorni", "up")]
    assert [change.text for change in shown[1].changes] == ["+2", "−6"]
    assert [change.since for change in shown[2].changes] == ["da ieri", "in 7 giorni"]
    assert {change.since for figure in of_dashboard for change in figure.changes} == {"da ieri"}


def test_movements_by_month_follow_the_ledger_and_restart_after_it_was_replaced(
    context: WebContext, database: Database
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


def test_a_deal_shows_what_is_left_and_a_plan_its_share() -> None:
    founders = PlanState(1, {}, Plan(1, "founders", "Founders Deal", 2900, 0, True, 500))
    pro = PlanState(2, {}, Plan(2, "pro", "Pro", 799, 799, False))
    sums = Totals(mrr_cents=799, by_plan={1: PlanTotals(3, 2, 0, 8700), 2: PlanTotals(1, 1, 799, 0)})
    deal = figures.deals(sums, {1: founders, 2: pro}, Settings())[0]

    assert (deal.text, deal.left, deal.income) == (
        "3 venduti su 500",
        "497 rimasti",
        "€\u00a087,00 di vendite, senza le licenze inserite a mano",
    )
    almost = Totals(by_plan={1: PlanTotals(499, 2, 0, 8700)})
    assert figures.deals(almost, {1: founders}, Settings())[0].left == "1 rimasto"
    assert [(line.name, line.share) for line in figures.plan_lines(sums, {1: founders, 2: pro}, Settings())] == [
        ("Pro", "100%"),
        ("Founders Deal", italian.DASH),
    ]
    full = Totals(by_plan={1: PlanTotals(600, 500, 0, 0)})
    assert figures.deals(full, {1: founders}, Settings())[0].left == texts.LIMITED_OVER


def test_each_target_of_deliveries_has_a_line_with_a_hint_while_it_does_not_work(
    mongo_uri: str, database: Database
) -> None:
    webhook = {"url": "https://n8n.example.it/canary", "secret": SECRET}
    targets = dict.fromkeys(("gone", "late", "new", "paused", "well"), webhook)
    config = shop.config_for(mongo_uri, database, webhooks=targets)
    context = WebContext(database, ActiveConfig(config), Health())
    states = {"gone": State.DISABLED, "late": State.FAILING, "paused": State.PAUSED, "well": State.ACTIVE}
    for name, state in states.items():
        record = target_store.open_record(database, name, 1, BEGINNING, clock.now())
        target = record.target._replace(state=state, last_error="HTTP 410 Gone" if name == "gone" else "")
        target_store.save(database, record._replace(target=target))
    database.analytics_outbox.insert_one(outbox.document(1, clock.now(), [sold("one")]))
    found = {one.name.removeprefix("Consegne a "): one for one in status_lines(context) if "Consegne" in one.name}

    assert {name: line.text for name, line in found.items()} == {
        "gone": "disattivate, 1 novità in attesa, finora nessuna",
        "late": "non riescono, il sistema riprova da solo, 1 novità in attesa, finora nessuna",
        "new": "cominciano al prossimo avvio del sistema",
        "paused": "in pausa, 1 novità in attesa, finora nessuna",
        "well": "attive, 1 novità in attesa, finora nessuna",
    }
    assert [name for name, line in found.items() if line.hint] == ["gone", "late"]
    assert "deliveries resume gone" in found["gone"].hint
    assert found["gone"].details == ["HTTP 410 Gone"]
    assert "canary" not in str(found)
