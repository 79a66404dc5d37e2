"""Metrics: accepted by promtool, listed in docs/metrics.md, and counting what their help says."""

import asyncio
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client import generate_latest

from daemon import clock
from daemon.runtime import metrics
from daemon.runtime.business_metrics import BUSINESS
from daemon.runtime.health import Health, Instant
from daemon.runtime.metrics import REGISTRY
from daemon.web.middleware.request_metrics import RequestMetrics
from rules.model.changes import Change, DocId, Operation, Plan, Source
from rules.model.decision import Decision
from rules.model.events import Event, EventType
from rules.model.ledger import Movement, MovementKind, PlanTotals, Reason, Totals
from rules.model.states import PlanState
from tests import generated_docs
from tests.system_tools import tool

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"chatello_analytics_{name}", labels) or 0.0


def exported() -> str:
    return generate_latest(REGISTRY).decode()


@pytest.fixture(autouse=True)
def hidden() -> Iterator[None]:
    """Hide what earlier tests of other files have shown, too."""
    BUSINESS.hide()
    yield
    BUSINESS.hide()


def founders(left_of: int | None = 500) -> PlanState:
    return PlanState(1, {}, Plan(1, "founders", "Founders Deal", 2900, 0, True, left_of))


def test_the_pages_made_from_the_code_are_up_to_date() -> None:
    for file, page in generated_docs.PAGES.items():
        assert (generated_docs.DOCS / file).read_text() == page(), f"docs/{file}: run make pages"


def test_promtool_finds_nothing_to_say_about_the_metrics() -> None:
    BUSINESS.show(Totals(by_plan={1: PlanTotals(3, 2, 0, 8700)}), {1: founders()})
    verdict = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=exported(), capture_output=True, text=True, timeout=30
    )

    assert (verdict.returncode, verdict.stdout + verdict.stderr) == (0, "")


def test_who_does_not_lead_says_nothing_of_the_shop_rather_than_zero() -> None:
    assert "chatello_analytics_customers" not in exported()
    BUSINESS.show(Totals(customers=3, mrr_cents=1598), {})

    assert "chatello_analytics_customers 3.0\n" in exported()
    assert "chatello_analytics_mrr_euros 15.98\n" in exported()


def test_the_rates_of_todays_row_are_exported_and_unknown_ones_are_nan() -> None:
    known = {"customer_churn_rate": 0.05, "revenue_churn_rate": 0.25, "net_revenue_retention": None}
    BUSINESS.show(Totals(mrr_cents=1598, subscribers=3), {})
    assert "chatello_analytics_quick_ratio NaN\n" in exported()
    BUSINESS.show_rates(known)
    found = exported()

    assert "chatello_analytics_arpa_euros 5.33\n" in found
    assert "chatello_analytics_customer_churn_ratio 0.05\n" in found
    assert "chatello_analytics_gross_revenue_retention_ratio 0.75\n" in found
    assert "chatello_analytics_net_revenue_retention_ratio NaN\n" in found
    assert "chatello_analytics_quick_ratio NaN\n" in found


def test_plans_are_told_by_name_two_of_one_name_apart_and_what_is_left_of_limited_ones() -> None:
    sums: dict[DocId, PlanTotals] = {
        1: PlanTotals(licenses=3, active=2),
        2: PlanTotals(licenses=1),
        9: PlanTotals(licenses=4),
    }
    BUSINESS.show(Totals(by_plan=sums), {1: founders(), 2: founders(left_of=None)})

    assert value("plan_licenses", plan="founders") == 3
    assert value("plan_licenses", plan="founders (2)") == 1
    assert value("plan_licenses", plan="9") == 4
    assert value("plan_licenses_left", plan="founders") == 497
    assert exported().count("\nchatello_analytics_plan_licenses_left{") == 1


def test_a_hostile_plan_name_stays_inside_its_label() -> None:
    evil = PlanState(1, {}, Plan(1, 'x"} 1\nforged_total 5', "", 0, 0, False))
    BUSINESS.show(Totals(by_plan={1: PlanTotals(licenses=1)}), {1: evil})

    assert not [line for line in exported().splitlines() if line.startswith("forged")]


def test_a_commit_counts_its_changes_events_movements_and_delay() -> None:
    before = {
        "changes": value("changes_total", collection="licenses"),
        "events": value("events_total", type="license_created"),
        "new": value("movements_total", kind="new"),
        "lost": value("mrr_moved_euros_total", kind="churn"),
        "delay": value("change_delay_seconds_sum"),
    }
    decision = Decision()
    decision.events = [Event("k", EventType.LICENSE_CREATED, NOW, "")]
    decision.movements = [
        Movement(NOW, MovementKind.NEW, Reason.ACTIVATED, "", mrr_cents=799),
        Movement(NOW, MovementKind.CHURN, Reason.CANCELLED, "", mrr_cents=-299),
    ]
    change = Change(Source.LICENSES, Operation.INSERT, 1, NOW, "8200")
    metrics.committed(decision, [change, change], NOW + timedelta(seconds=2))

    assert value("changes_total", collection="licenses") == before["changes"] + 2
    assert value("events_total", type="license_created") == before["events"] + 1
    assert value("movements_total", kind="new") == before["new"] + 1
    assert value("mrr_moved_euros_total", kind="churn") == pytest.approx(before["lost"] + 2.99)
    assert value("change_delay_seconds_sum") == pytest.approx(before["delay"] + 2)


def requests(route: str, code: str, method: str = "GET") -> float:
    return value("http_requests_total", route=route, method=method, code=code)


def test_requests_are_counted_by_the_routes_template_and_strangers_make_no_labels() -> None:
    app = FastAPI()
    app.add_middleware(RequestMetrics)

    @app.get("/things/{thing}")
    def thing(thing: str) -> str:
        if thing == "broken":
            raise RuntimeError("on purpose")
        return thing

    before = requests("/things/{thing}", "200"), requests("/things/{thing}", "500"), requests("none", "404", "other")

    async def visit() -> None:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://daemon") as client:
            for name in ("a", "b", "broken"):
                await client.get(f"/things/{name}")
            await client.request("BREW", "/etc/passwd")

    asyncio.run(visit())

    after = requests("/things/{thing}", "200"), requests("/things/{thing}", "500"), requests("none", "404", "other")
    assert after == (before[0] + 2, before[1] + 1, before[2] + 1)
    assert "BREW" not in exported() and "/things/a" not in exported()


def test_the_role_is_asked_at_every_scrape_and_is_one_of_all() -> None:
    health = Health()
    metrics.watch(health)
    assert (value("role", role="starting"), value("ready")) == (1, 0)
    health.set_role("leader", clock.monotonic())

    assert [name for name in metrics.ROLES if value("role", role=name)] == ["leader"]
    assert value("ready") == 1


def test_a_lease_that_could_not_be_renewed_makes_the_daemon_not_ready() -> None:
    health = Health()
    metrics.watch(health)
    health.set_role("leader", clock.monotonic())
    health.hold_lease(clock.monotonic() - 1)
    expired = value("ready")
    health.hold_lease(clock.monotonic() + 60)

    assert (expired, value("ready")) == (0, 1)


@pytest.mark.parametrize(
    ("instant", "name"),
    [
        (Instant.CLUSTER, "cluster_timestamp_seconds"),
        (Instant.STREAM, "stream_token_timestamp_seconds"),
        (Instant.CHECKPOINT, "checkpoint_timestamp_seconds"),
        (Instant.EVENT, "event_timestamp_seconds"),
        (Instant.ROLLUP, "rollup_success_timestamp_seconds"),
        (Instant.VERIFICATION, "verification_success_timestamp_seconds"),
    ],
)
def test_an_instant_of_progress_is_exported_as_recorded(instant: Instant, name: str) -> None:
    health = Health()
    metrics.watch(health)
    health.record(instant, 1_764_072_000)

    assert value(name) == 1_764_072_000
