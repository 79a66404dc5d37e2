"""The real daemon's log: one line per business event, also in the log file, and no secret in any output."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import httpx2
from pymongo import MongoClient

from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.mongo.types import Database
from tests import shop
from tests.system.test_process import get, ready

PASSWORD = "sings-like-a-canary"
TOKEN = "the-token-is-a-canary-too"
GUESS = "mistyped-canary-token"


def request_with(port: int, token: str) -> int:
    """Send a request that requires the token, with it in query and header; return the status."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/save_daily_analytics?token={token}", method="POST")
    request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_events_are_logged_to_journal_and_file_and_no_secret_anywhere(guarded: EmbeddedMongo, tmp_path: Path) -> None:
    root: MongoClient[dict[str, Any]]
    with MongoClient(guarded.uri.replace("mongodb://", "mongodb://root:root@")) as root:
        root.admin.command("createUser", "bird", pwd=PASSWORD, roles=["root"])
    uri = guarded.uri.replace("mongodb://", f"mongodb://bird:{PASSWORD}@")
    file = tmp_path / "daemon.log"
    client: MongoClient[dict[str, Any]]
    with MongoClient(uri) as client:
        db: Database = client["canary_shop"]
        plans = shop.plans(db)
        settings = {"CHATELLO_LOGS__FILE": str(file), "CHATELLO_HTTP__TOKEN": TOKEN}
        with shop.process(uri, db.name, JOURNAL_STREAM="8:1", **settings) as daemon:
            wait_for(lambda: ready(daemon.port), "the daemon to be ready")
            answers = [request_with(daemon.port, token) for token in (TOKEN, *(f"{GUESS}-{n}" for n in range(12)))]
            shop.license(db, shop.customer(db, "mario.rossi@shop.it <b>"), plans["pro"])
            wait_for(lambda: "license_created" in file.read_text(), "the event in the file")
            shop.license(db, shop.customer(db, "x"), plans["pro"], status="nonsense")
            wait_for(lambda: any("document.held" in line for line in daemon.lines), "the held document")
            shown = get(daemon.port, "/metrics")[1] + get(daemon.port, "/readyz")[1]
            assert daemon.stop() == 0

    written = [json.loads(line) for line in file.read_text().splitlines()]
    journal = [json.loads(line[3:]) for line in daemon.lines]
    assert written == journal
    assert {line[:3] for line in daemon.lines} == {"<6>", "<4>"}
    kinds = [line["type"] for line in written if line["event"] == "event.recorded"]
    assert {"new_customer", "license_created", "payment_completed"} <= set(kinds)
    assert [line["collection"] for line in written if line["event"] == "document.held"] == ["licenses"]
    everything = "".join(daemon.lines) + file.read_text() + shown
    assert answers[0] not in (401, 403, 429)
    assert set(answers[1:]) == {401, 429}
    assert not [secret for secret in (PASSWORD, TOKEN, GUESS) if secret in everything]
    assert "mario.rossi" not in everything
    assert "Nuovo cliente: … ‹b›" in [line.get("description") for line in written]


def test_the_http_token_is_in_no_output_for_any_request(mongo_uri: str, database: Database) -> None:
    token, wrong = "canary-canary-canary", "wrongcanary-wrongcanary"
    with shop.process(mongo_uri, database.name, CHATELLO_HTTP__TOKEN=token) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        shown = "".join(get(daemon.port, path)[1] for path in ("/metrics", "/readyz", "/openapi.json", f"/{token}"))
        with httpx2.Client(base_url=f"http://127.0.0.1:{daemon.port}/api") as client:
            for given in (token, wrong):
                bearer = {"Authorization": f"Bearer {given}", "Host": f"localhost:{daemon.port}"}
                answers = [client.post("/create_business_event", json={given: given}, headers=bearer)]
                answers += [
                    client.post("/create_business_event", json={}, auth=(given, given)),
                    client.get(f"/{given}"),
                ]
                shown += "".join(f"{answer.headers}{answer.text}" for answer in answers)
        assert daemon.process is not None
        arguments = Path(f"/proc/{daemon.process.pid}/cmdline").read_text()
        assert daemon.stop() == 0
    lines = "".join(daemon.lines)

    assert "login.refused" in lines
    assert "canary" not in lines + shown + arguments
