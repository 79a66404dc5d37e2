"""Debian's Prometheus with the shipped configuration (other targets, shorter intervals), queried as Grafana does."""

import json
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from daemon.demo.embedded_mongo import free_port, wait_for
from tests.shop import ROOT
from tests.system_tools import tool

SHIPPED = ROOT / "deploy" / "prometheus"


@dataclass(frozen=True)
class Prometheus:
    """Client of a running Prometheus at `port`."""

    port: int

    def get(self, path: str, **parameters: str) -> Any:
        """Return `data` of an API response; raise AssertionError with Prometheus' message for an invalid query."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}?{query}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            if refused.code != 400:
                raise
            with refused:
                raise AssertionError(f"{parameters}: {refused.read().decode()}") from None

    def query(self, expression: str) -> list[Any]:
        """Return the instant vector of an expression; a scalar is one sample."""
        data = self.get("/api/v1/query", query=expression)
        result: list[Any] = data["result"] if data["resultType"] in ("vector", "matrix") else [data["result"]]
        return result


def shipped_config(file: Path, targets: list[int], token: Path | None = None) -> dict[str, Any]:
    """Return a shipped configuration with shorter intervals and the given ports and token file."""
    config: dict[str, Any] = yaml.safe_load(file.read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(SHIPPED / rules) for rules in config["rule_files"]]
    config.pop("alerting", None)
    (scrape,) = config["scrape_configs"]
    assert ("authorization" in scrape) == (token is not None)
    if token is not None:
        scrape["authorization"]["credentials_file"] = str(token)
    scrape["static_configs"][0]["targets"] = [f"127.0.0.1:{port}" for port in targets]
    return config


@contextmanager
def prometheus(folder: Path, targets: list[int], config: dict[str, Any] | None = None) -> Iterator[Prometheus]:
    """Run Prometheus scraping these ports every 500 ms; the default configuration is deploy/prometheus."""
    server = Prometheus(free_port())
    config = config or shipped_config(SHIPPED / "prometheus.yml", targets)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        tool("prometheus"),
        *(f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
        *(f"--web.listen-address=127.0.0.1:{server.port}", "--log.level=error"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _scraped(server, len(targets)), "Prometheus to have scraped the daemon")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _scraped(server: Prometheus, targets: int) -> bool:
    try:
        return len(server.query("up == 1")) == targets
    except OSError:
        return False
