"""The Grafana dashboards follow the rules of Grafana's linter, and the real daemon provides data for every query."""

import itertools
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from tests import boards, generated_docs, shop, targets
from tests.boards import NOT_SHOWN
from tests.prometheus import Prometheus, prometheus
from tests.system.test_process import ready

GRAFANA = shop.ROOT / "deploy" / "grafana"

MACROS = {"$__rate_interval": "20s", "$__range": "1m", "$job": "chatello-analytics", "$instance": ".+"}
"""Values that Grafana would substitute."""


def board(file: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((generated_docs.DASHBOARDS / file).read_text())
    return read


def panels(file: str) -> Iterator[dict[str, Any]]:
    """Yield all panels except rows."""
    return (panel for panel in board(file)["panels"] if panel["type"] != "row")


def expressions() -> Iterator[tuple[str, str]]:
    """Yield file, panel title and expression of each query."""
    for file in boards.BOARDS:
        for panel in panels(file):
            for target in panel["targets"]:
                yield f"{file}: {panel['title']}", target["expr"]


each_board = pytest.mark.parametrize("file", boards.BOARDS)


@each_board
def test_the_dashboards_match_their_code(file: str) -> None:
    assert (generated_docs.DASHBOARDS / file).read_text() == boards.rendered(file), "run make pages"


@each_board
def test_a_dashboard_has_variables_for_data_source_jobs_and_instances_and_is_read_only(file: str) -> None:
    made = board(file)
    source, *chosen = made["templating"]["list"]

    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert [variable["name"] for variable in chosen] == ["job", "instance"]
    for variable in chosen:
        assert variable["datasource"]["uid"] == "${datasource}"
        assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".+")
        assert variable["refresh"] == 2
        assert variable["label"] == variable["name"].capitalize()
    assert made["editable"] is False


@each_board
def test_every_panel_has_title_description_unit_and_the_chosen_data_source(file: str) -> None:
    for panel in panels(file):
        assert panel["title"] and panel["description"].endswith("."), panel
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@each_board
def test_panels_have_unique_titles_and_ids_and_do_not_overlap(file: str) -> None:
    placed = list(board(file)["panels"])
    titles = [panel["title"] for panel in placed]
    assert len(set(titles)) == len(titles)
    assert len({panel["id"] for panel in placed}) == len(placed)
    for one, other in itertools.combinations([panel["gridPos"] for panel in placed], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in placed)


def test_every_query_selects_the_chosen_jobs_and_instances_and_uses_rates_of_counters() -> None:
    for where, expression in expressions():
        selectors = re.findall(r"((?:chatello|process)_\w+)(\{[^}]*\})?(\[[^\]]+\])?", expression)
        assert selectors, where
        for name, labels, window in selectors:
            assert 'job=~"$job"' in labels and 'instance=~"$instance"' in labels, where
            assert bool(window) == name.endswith(("_total", "_bucket")), f"{where}: {name}"
        for function, window in re.findall(r"\b(rate|increase)\([^\[]*\[([^\]]+)\]", expression):
            assert window == "$__rate_interval" or (function, window) == ("increase", "$__range"), where


def test_every_metric_is_on_a_panel_or_listed_as_not_shown() -> None:
    everything = " ".join(expression for _, expression in expressions())
    exported = {name for name, _kind, _labels, _text in generated_docs.families()}
    missing = {name for name in exported if not re.search(rf"\b{name}(_bucket)?\b", everything)}

    assert missing == set(NOT_SHOWN)


def test_the_provisioning_matches_the_shipped_files() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/chatello-analytics.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/chatello-analytics.yml").read_text())["providers"]
    scraped = yaml.safe_load((shop.ROOT / "deploy/prometheus/prometheus.yml").read_text())["global"]

    assert source["type"] == "prometheus"
    assert source["jsonData"]["timeInterval"] == scraped["scrape_interval"]
    assert provider["options"]["path"] in (GRAFANA / "README.md").read_text()


def test_every_query_of_every_panel_returns_data_of_the_real_daemon(
    mongo_uri: str, database: Database, tmp_path: Path
) -> None:
    plans = shop.plans(database)
    with shop.process(mongo_uri, database.name, ("--config", str(targets.unreachable(tmp_path)))) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        with prometheus(tmp_path, [daemon.port]) as server:
            shop.license(database, shop.customer(database, "A"), plans["pro"])
            for where, expression in expressions():
                wait_for(partial(_answers, server, filled(expression)), f"an answer to {where}", 30)
            assert _variables(server) == [["chatello-analytics"], [f"127.0.0.1:{daemon.port}"]]


def filled(expression: str) -> str:
    """Return the query as Grafana sends it; the verification may not have run yet, so its zero counts as data."""
    for macro, value in MACROS.items():
        expression = expression.replace(macro, value)
    return re.sub(r"(verification_success_timestamp_seconds\{[^}]*\}) > 0", r"\1 >= 0", expression)


def _answers(server: Prometheus, expression: str) -> bool:
    return bool(server.query(expression))


def _variables(server: Prometheus) -> list[list[str]]:
    """Return the options of the variables: Grafana's label_values(metric, label) calls Prometheus' label values API."""
    offered = []
    for variable in board("daemon.json")["templating"]["list"][1:]:
        metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]).groups()  # type: ignore[union-attr]  # None fails the test
        offered.append(server.get(f"/api/v1/label/{label}/values", **{"match[]": filled(metric)}))
    return offered
