"""The configuration of docs/nginx.md with a real nginx and TLS."""

import json
import re
import ssl
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from daemon.demo.embedded_mongo import free_port, wait_for
from daemon.mongo.types import Database
from tests.shop import ROOT
from tests.system_tools import tool
from tests.web.conftest import BEARER, TOKEN, Serve
from tests.web.test_broadcast import create_event

NAME = "analytics.example.com"
LIST = "/api/get_recent_events"
REQUEST = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem -out certificate.pem "
    f"-subj /CN={NAME} -addext subjectAltName=DNS:{NAME},IP:127.0.0.1"
)
COMMENT = "/analytics/giorni/2026-11-23/commento"


def documented(language: str) -> str:
    """Return the only block of this language in docs/nginx.md."""
    [block] = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs/nginx.md").read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    subprocess.run(
        [tool("openssl"), *REQUEST.split()],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    return tmp_path / "certificate.pem"


@pytest.fixture
def browser(serve: Serve, certificate: Path) -> Iterator[httpx2.Client]:
    """Return a client of an nginx with the documented configuration before a daemon with the documented settings."""
    folder, port = certificate.parent, free_port()
    http = tomllib.loads(documented("toml"))["http"]
    with serve(headers={}, **http) as direct:
        site = documented("nginx")
        for documented_value, value in {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            f"/etc/letsencrypt/live/{NAME}/fullchain.pem": str(certificate),
            f"/etc/letsencrypt/live/{NAME}/privkey.pem": str(folder / "key.pem"),
            "http://127.0.0.1:5013": f"http://127.0.0.1:{direct.base_url.port}",
        }.items():
            assert site.count(documented_value) == 1, documented_value
            site = site.replace(documented_value, value)
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
            f"http {{ access_log off; {temporary_folders(folder)}\n{site} }}\n"
        )
        nginx = subprocess.Popen([tool("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")])
        trusted = ssl.create_default_context(cafile=str(certificate))
        address = f"https://127.0.0.1:{port}"
        try:
            with httpx2.Client(base_url=address, verify=trusted, headers={"Host": f"{NAME}:{port}"}) as client:
                wait_for(lambda: answers(client), "nginx")
                yield client
        finally:
            nginx.terminate()
            nginx.wait(10)


def temporary_folders(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx2.HTTPError:
        return False


def test_the_page_and_the_api_need_the_token_and_probes_do_not(browser: httpx2.Client) -> None:
    for path in ("/analytics", LIST, "/metrics", "/docs", "/static/page.css"):
        assert browser.get(path).status_code == 401, path
        assert browser.get(path, auth=("anyone", TOKEN)).status_code == 200, path
    shown = browser.get("/readyz")

    assert (shown.status_code, shown.json()["problems"]) == (200, [])
    assert shown.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"


def test_forms_and_writes_of_the_pages_own_origin_are_accepted_and_of_others_refused(browser: httpx2.Client) -> None:
    own = {"Origin": f"https://{browser.headers['Host']}"}
    event = {"event_type": "partnership", "description": "Accordo"}
    create = "/api/create_business_event"

    assert browser.post(create, json=event, auth=("x", TOKEN), headers=own).status_code == 200
    assert browser.post(COMMENT, data={"testo": "x"}, auth=("x", TOKEN), headers=own).status_code == 404  # no such row
    for origin in ("https://evil.example", f"https://{NAME}.evil.example"):
        assert browser.post(create, json=event, auth=("x", TOKEN), headers={"Origin": origin}).status_code == 403


def test_live_events_arrive_at_once(browser: httpx2.Client, database: Database) -> None:
    with browser.stream("GET", "/api/events/stream", headers=BEARER, timeout=20) as answer:
        lines = answer.iter_lines()
        assert "event: position" in (next(lines) for _ in range(10))
        create_event(database, "subito")
        received = next(line for line in lines if line.startswith('data: {"'))

    assert json.loads(received.removeprefix("data: "))["description"] == "subito"


def test_wrong_tokens_of_one_visitor_lock_out_nobody_else(browser: httpx2.Client) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7"}
    wrong = [browser.get(LIST, auth=("x", f"wrong {n}"), headers=forged).status_code for n in range(12)]
    other = browser.get(LIST, headers={"X-Forwarded-For": "203.0.113.8"})

    assert wrong == [401] * 10 + [429] * 2
    assert other.status_code == 401
    assert browser.get(LIST, auth=("x", TOKEN)).status_code == 200


def test_another_host_name_is_refused(browser: httpx2.Client) -> None:
    assert browser.get(LIST, headers={"Host": "evil.example", **BEARER}).status_code == 421
