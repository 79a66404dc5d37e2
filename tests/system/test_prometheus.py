"""The shipped Prometheus files: valid for promtool, each alert tested both ways, with data of the real daemon."""

import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.config.schema import Http
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from tests import shop, targets
from tests.prometheus import SHIPPED, Prometheus, prometheus
from tests.system.test_process import ready
from tests.system_tools import tool

RUNBOOK = shop.ROOT / "docs" / "runbook.md"

RULES = sorted(SHIPPED.glob("*.rules.yml")) + sorted(SHIPPED.glob("*.alerts.yml"))
TESTS = sorted(SHIPPED.glob("*.tests.yml"))

SELECTOR = re.compile(r"\b((?:chatello|process|job:|instance:)[a-z0-9_:]*|up)(\{[^}]*\})?")
SUBSTITUTES = {'code=~"5.."': 'code=~"2.."', 'route!~"/healthz|/readyz"': 'route!~"none"'}
"""Labels of series that do not exist in a healthy daemon, and substitutes that do."""


def rules() -> list[dict[str, Any]]:
    return [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def promtool(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run([tool("promtool"), *map(str, arguments)], capture_output=True, text=True, timeout=170)
    return done.returncode, done.stdout + done.stderr


def test_promtool_accepts_configuration_and_rules() -> None:
    for kind, files in (("config", [SHIPPED / "prometheus.yml"]), ("rules", RULES)):
        status, output = promtool("check", kind, "--lint=all", "--lint-fatal", *files)
        assert status == 0, output


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_each_alert_fires_when_it_should_and_is_silent_when_it_should_be(file: Path) -> None:
    status, output = promtool("test", "rules", file)
    assert status == 0, output


def test_the_scrape_target_is_the_default_address() -> None:
    (scrape,) = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())["scrape_configs"]
    http = Http()

    assert scrape["static_configs"] == [{"targets": [f"{http.host}:{http.port}"]}]


def test_each_alert_has_a_test_for_firing_and_one_for_silence() -> None:
    names = " ".join(test["name"] for file in TESTS for test in yaml.safe_load(file.read_text())["tests"])
    for alert in alerts():
        assert f"{alert['alert']} fires:" in names
        assert f"{alert['alert']} is silent:" in names


def test_each_alert_has_all_annotations_a_severity_and_a_runbook_section() -> None:
    anchors = {line[3:].strip().lower() for line in RUNBOOK.read_text().splitlines() if line.startswith("## ")}
    for alert in alerts():
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "description", "why", "runbook_url"} == set(alert["annotations"])
        page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert (page, anchor) == ("docs/runbook.md", alert["alert"].lower())
        assert anchor in anchors, f"docs/runbook.md lacks a section ## {alert['alert']}"


@pytest.mark.parametrize(("severity", "receiver"), [("page", "pager"), ("ticket", "tickets")])
def test_the_alertmanager_example_is_valid_and_routes_only_pages_to_the_pager(severity: str, receiver: str) -> None:
    file = str(SHIPPED / "alertmanager.yml")
    checked = subprocess.run([tool("amtool"), "check-config", file], capture_output=True, text=True, timeout=30)
    route = [tool("amtool"), "config", "routes", "test", f"--config.file={file}", f"severity={severity}"]
    routed = subprocess.run(route, capture_output=True, text=True, timeout=30)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert routed.stdout.strip() == receiver


def test_the_alertmanager_example_inhibits_only_existing_alerts() -> None:
    names = [alert["alert"] for alert in alerts()]
    for rule in yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            for named in re.findall(r'alertname=~?"ChatelloAnalytics\(?([^)"]+)', matcher):
                for pattern in named.split("|"):
                    assert any(re.fullmatch(f"ChatelloAnalytics{pattern}", name) for name in names), pattern


def test_the_real_daemon_exports_data_for_every_rule(mongo_uri: str, database: Database, tmp_path: Path) -> None:
    plans = shop.plans(database)
    with shop.process(mongo_uri, database.name, ("--config", str(targets.unreachable(tmp_path)))) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        shop.license(database, shop.customer(database, "A"), plans["pro"])
        with prometheus(tmp_path, [daemon.port]) as server:
            wait_for(lambda: bool(server.query("job:chatello_analytics_mrr_euros:max == 7.99")), "the recorded MRR")
            wait_for(lambda: _evaluated(server), "every rule to be evaluated")
            for rule in rules():
                for selector in selectors(rule["expr"]):
                    assert server.query(selector), f"{rule.get('alert', rule.get('record'))}: no series for {selector}"
            firing = server.query('ALERTS{alertstate="firing"}')

    assert firing == []


def test_an_alert_is_pending_in_the_real_prometheus_with_its_texts_filled_in(
    mongo_uri: str, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("")
    with shop.process(mongo_uri, database.name, ("--config", str(file))) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        file.write_text("[http]\nnonsense = 1")
        daemon.send(signal.SIGHUP)
        with prometheus(tmp_path, [daemon.port]) as server:
            wait_for(lambda: "ReloadFailed" in _pending(server), "the alert to be pending")
            summary = _pending(server)["ReloadFailed"]["annotations"]["summary"]

    assert summary == f"127.0.0.1:{daemon.port} refused its changed configuration"


def selectors(expression: str) -> list[str]:
    """Return the selectors of an expression."""
    for absent, present in SUBSTITUTES.items():
        expression = expression.replace(absent, present)
    return [name + (labels or "") for name, labels in SELECTOR.findall(expression)]


def _evaluated(server: Prometheus) -> bool:
    """Return whether every rule was evaluated; fail if one has an error."""
    reported = [rule for group in server.get("/api/v1/rules")["groups"] for rule in group["rules"]]
    assert [rule for rule in reported if rule["health"] == "err"] == []
    return len(reported) == len(rules()) and all(rule["health"] == "ok" for rule in reported)


def _pending(server: Prometheus) -> dict[str, Any]:
    pending = server.get("/api/v1/alerts")["alerts"]
    return {alert["labels"]["alertname"].removeprefix("ChatelloAnalytics"): alert for alert in pending}
