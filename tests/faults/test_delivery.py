"""Two daemons, killed again and again, and receivers that answer at random: what was committed arrives, in order."""

import base64
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook as Verifier
from werkzeug import Request, Response

from daemon.mongo.types import Database
from tests import measurements, shop
from tests.faults.injection import Load, wait_until_consistent
from tests.oracle import assert_each_fact_once_in_the_outbox

KILLS = int(os.environ.get("CHATELLO_TEST_KILLS", "50"))
ANSWERS = (*[200] * 40, 204, 500, 503, 302, 404, 422, 429)


class RandomReceiver:
    """Verifies every request and gives a random one of `answers`, until `accepts_all` is set."""

    def __init__(self, server: HTTPServer, name: str, seed: int, answers: Sequence[int] = ANSWERS) -> None:
        self.secret = f"whsec_{base64.b64encode(os.urandom(32)).decode()}"
        self.url = server.url_for(f"/{name}")
        self.arrived: list[str] = []
        self.problems: list[Exception] = []
        self.accepts_all = False
        self._chance, self._answers = Random(seed), answers
        server.expect_request(f"/{name}").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        try:
            event: dict[str, Any] = Verifier(self.secret).verify(request.get_data(), dict(request.headers))
            assert event["id"] == request.headers["webhook-id"]
        except Exception as problem:  # noqa: BLE001 - raised by the test
            self.problems.append(problem)
            return Response(status=400)
        self.arrived.append(event["id"])
        return Response(status=204 if self.accepts_all else self._chance.choice(self._answers))


@pytest.fixture
def receivers(httpserver: HTTPServer) -> Iterator[dict[str, RandomReceiver]]:
    yield {name: RandomReceiver(httpserver, name, seed) for seed, name in enumerate(("all", "sales"))}


def configuration(directory: Path, receivers: dict[str, RandomReceiver]) -> Path:
    (directory / "targets").mkdir()
    lines = []
    for name, receiver in receivers.items():
        secret = directory / "targets" / name
        secret.write_text(receiver.secret)
        secret.chmod(0o600)
        lines += [f"[webhooks.{name}]", f'url = "{receiver.url}"']
    lines.append('only = ["license_created", "license_cancelled"]')
    file = directory / "config.toml"
    file.write_text("\n".join(lines))
    return file


def try_now(db: Database) -> None:
    """Let every failing target try at once, as `deliveries retry` does."""
    failing = {"next_attempt_at": {"$ne": None}}
    db.analytics_targets.update_many(failing, {"$set": {"next_attempt_at": None}, "$inc": {"version": 1}})


@pytest.mark.timeout(900)
def test_after_fifty_kills_each_committed_fact_has_arrived_in_order_and_nothing_else(
    mongo_uri: str, database: Database, receivers: dict[str, RandomReceiver], tmp_path: Path
) -> None:
    db, chance = database, Random(18)
    shop.plans(db)
    arguments = ("--config", str(configuration(tmp_path, receivers)))
    with ExitStack() as stack:
        daemons = [stack.enter_context(shop.process(mongo_uri, db.name, arguments)) for _ in range(2)]
        shop.until(lambda: db.analytics_targets.count_documents({}) == 2, "the targets", 60)
        with Load(db, [], pause=0.03):
            for _ in range(KILLS):
                threading.Event().wait(chance.uniform(0.3, 2.0))  # the moment of the kill, not a wait for something
                victim = chance.choice(daemons)
                victim.kill()
                victim.start()
                try_now(db)
        for receiver in receivers.values():
            receiver.accepts_all = True
        wait_until_consistent(db, seconds=120)
        shop.wait_until_committed(db)
        try_now(db)
        shop.until(lambda: _all_arrived(db, receivers), "all facts to arrive", 120)
        assert [daemon.stop() for daemon in daemons] == [0, 0]

    assert [problem for receiver in receivers.values() for problem in receiver.problems] == []
    for name, receiver in receivers.items():
        assert list(dict.fromkeys(receiver.arrived)) == committed(db, name)
    assert_each_fact_once_in_the_outbox(db)
    measurements.record(kills=KILLS, committed=len(committed(db, "all")), sent=len(receivers["all"].arrived))


def committed(db: Database, target: str) -> list[str]:
    """Return the ids of all facts in the order of their commits; `sales` receives two types of events only."""
    entries = [entry for found in db.analytics_outbox.find().sort("_id", 1) for entry in found["entries"]]
    if target == "sales":
        kinds = ("license_created", "license_cancelled")
        entries = [entry for entry in entries if entry.get("event", {}).get("type") in kinds]
    return [entry["id"] for entry in entries]


def _all_arrived(db: Database, receivers: dict[str, RandomReceiver]) -> bool:
    return all(set(committed(db, name)) <= set(receiver.arrived) for name, receiver in receivers.items())
