"""The image and the compose file: static checks, and both running on a docker engine if there is one."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.demo.embedded_mongo import free_port, wait_for
from tests import containers
from tests.prometheus import prometheus, shipped_config
from tests.shop import ROOT
from tests.system.test_process import get
from tests.system_tools import missing

DOCKER = ROOT / "deploy" / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yml").read_text())
ENVIRONMENT = dict(re.findall(r"^(\w+)=(.*)$", (DOCKER / ".env").read_text(), re.MULTILINE))
IMAGE = "chatello-local/daemon"
LOCAL = {"PYTHON_IMAGE": "chatello-local/python:3.11", "MONGO_IMAGE": "chatello-local/mongo:6.0", "DAEMON_IMAGE": IMAGE}
"""Built by .ci/images, which needs no registry."""


def test_every_port_is_published_on_loopback_only() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_service_can_write_to_its_image_or_gain_privileges() -> None:
    for name, service in COMPOSE["services"].items():
        locked = {**service.pop("<<", {}), **service}
        assert locked["read_only"] is True, name
        assert locked["cap_drop"] == ["ALL"], name
        assert locked["security_opt"] == ["no-new-privileges:true"], name


def test_the_files_of_the_compose_file_exist() -> None:
    text = (DOCKER / "compose.yml").read_text()
    mounted = re.findall(r"- (\.\.?/[^:]+):", text)
    assert len(mounted) >= 7
    for path in mounted:
        assert (DOCKER / path).exists(), path
    assert set(re.findall(r"\$\{(\w+)[^}]*\}", text)) == set(ENVIRONMENT) - {"COMPOSE_PROJECT_NAME"}


def test_the_documented_override_gives_the_daemon_the_secret_of_a_target() -> None:
    """Compose adds its lists to those of compose.yml; the daemon reads `target_NAME` in /run/secrets."""
    (block,) = re.findall(r"```yaml\n(.*?)```", (DOCKER / "README.md").read_text(), re.DOTALL)
    override = yaml.safe_load(block)
    secrets = override["services"]["daemon"]["secrets"]

    assert set(COMPOSE["services"]["daemon"]["secrets"]) <= set(secrets)
    assert set(override["secrets"]) == {"target_n8n"} <= set(secrets)
    assert override["secrets"]["target_n8n"]["file"] == "${SECRETS}/target_n8n"


def test_secrets_are_created_once_and_hidden_from_other_users(tmp_path: Path) -> None:
    def create() -> dict[str, str]:
        subprocess.run([DOCKER / "secrets.sh", tmp_path / "secrets"], check=True, capture_output=True)
        return {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    first, second = create(), create()

    assert set(first) == set(COMPOSE["secrets"])
    assert len(set(first.values())) == len(first)
    assert first == second
    assert (tmp_path / "secrets").stat().st_mode & 0o77 == 0
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "secrets").iterdir()} == {0o644}, (
        "containers run under other users"
    )


def test_the_database_user_is_created_in_the_configured_database(tmp_path: Path) -> None:
    for name in ("secrets.sh", ".env"):
        shutil.copy(DOCKER / name, tmp_path)
    settings = (tmp_path / ".env").read_text()
    (tmp_path / ".env").write_text(settings.replace("MONGODB_DATABASE=chatello_saas", "MONGODB_DATABASE=other_shop"))
    without = {name: value for name, value in os.environ.items() if name != "MONGODB_DATABASE"}
    subprocess.run([tmp_path / "secrets.sh"], check=True, capture_output=True, env=without)

    assert (tmp_path / "secrets" / "mongodb-uri").read_text().endswith("&authSource=other_shop")


def test_the_prometheus_configuration_differs_from_the_shipped_one_only_in_address_and_token() -> None:
    inside = yaml.safe_load((DOCKER / "prometheus.yml").read_text())
    outside = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    del outside["alerting"]
    (scrape,) = inside["scrape_configs"]
    del scrape["authorization"]
    scrape["static_configs"] = outside["scrape_configs"][0]["static_configs"]

    assert inside == outside


def test_the_build_context_contains_only_the_copied_files() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    wanted = {path.split("/")[0] for paths in copied for path in paths.split() if not path.startswith("deploy")}

    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == wanted | {"deploy/docker/healthcheck.py"}


class Stack:
    """Compose project of one test: the daemon, MongoDB and the simulated dashboard."""

    def __init__(self, secrets: Path) -> None:
        self.secrets = secrets
        self.port = free_port()
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0
        self.command = ["docker", "compose"] if plugin else ["docker-compose"]
        self.environment = {
            **os.environ,
            **LOCAL,
            "COMPOSE_PROJECT_NAME": f"chatello-test-{self.port}",
            "DAEMON_PORT": str(self.port),
            "SECRETS": str(secrets),
        }

    def __call__(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [*self.command, "--profile", "demo", *arguments],
            cwd=DOCKER,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    def get(self, path: str) -> int:
        """Return the status of a route's response, 0 if there is none."""
        return get(self.port, path)[0]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    _require_engine()
    build = ["docker", "build", "--network=host", "-q", "-f", "deploy/docker/Dockerfile", "-t", IMAGE]
    build += ["--build-arg", f"PYTHON_IMAGE={LOCAL['PYTHON_IMAGE']}", "."]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    secrets = tmp_path / "secrets"
    subprocess.run([DOCKER / "secrets.sh", secrets], check=True, capture_output=True)
    running = Stack(secrets)
    try:
        yield running
    finally:
        running("down", "-v", "--remove-orphans")


def _require_engine() -> None:
    absent = {LOCAL["PYTHON_IMAGE"], LOCAL["MONGO_IMAGE"]} - containers.images()
    if absent or not (shutil.which("docker-compose") or shutil.which("docker")):
        missing("docker", f"no engine holds {sorted(absent)} (.ci/engine, .ci/images)", "CHATELLO_TEST_NEEDS_ENGINE")


@pytest.mark.timeout(500)
def test_the_image_builds_and_the_compose_file_runs(stack: Stack, tmp_path: Path) -> None:
    image = json.loads(subprocess.check_output(["docker", "image", "inspect", IMAGE]))[0]
    status, output = stack("up", "-d", "mongo", "mongo-init", "daemon", "shop")
    assert status == 0, output + stack("logs", "mongo", "mongo-init")[1]
    wait_for(lambda: stack.get("/readyz") == 200, "the daemon to follow the stream", 60)
    scraping = shipped_config(DOCKER / "prometheus.yml", [stack.port], stack.secrets / "http-token")
    with prometheus(tmp_path, [stack.port], scraping) as server:
        wait_for(lambda: bool(server.query("job:chatello_analytics_mrr_euros:max > 0")), "the shop in Prometheus", 60)
    refused = stack.get("/metrics")
    wait_for(lambda: "event.recorded" in stack("logs", "daemon")[1], "an event of the simulated dashboard", 60)
    checked, verified = stack("exec", "-T", "daemon", "chatello-analytics", "check"), _verify(stack)
    healthy = stack("exec", "-T", "daemon", "python3", "/opt/chatello-analytics/healthcheck.py")
    written = stack("exec", "-T", "daemon", "python3", "-c", "open('/opt/x', 'w')")
    again = stack("run", "--rm", "mongo-init")
    stopped = stack("stop", "daemon")
    ended = subprocess.check_output(["docker", "inspect", "-f", "{{.State.ExitCode}}", _container(stack)], text=True)

    assert image["Config"]["User"] == "10001:10001"
    assert image["Size"] < 300e6
    assert stack.secrets.joinpath("http-token").read_text() not in str(image["Config"])
    assert refused == 401
    assert checked[0] == 0, checked[1]
    assert verified[0] == 0, verified[1]
    assert healthy[0] == 0, healthy[1]
    assert "Read-only file system" in written[1]
    assert again[0] == 0, again[1]
    assert (stopped[0], ended.strip()) == (0, "0")


def _verify(stack: Stack) -> tuple[int, str]:
    return stack("exec", "-T", "daemon", "chatello-analytics", "verify")


def _container(stack: Stack) -> str:
    return stack("ps", "-q", "daemon")[1].strip().splitlines()[-1]
