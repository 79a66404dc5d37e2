"""The service under a real systemd: readiness, watchdog, restarts without loss, status text, reload."""

import json
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from tests import shop
from tests.daemon.config.test_targets import SECRET
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events, recount, totals
from tests.system.machine import SOURCE
from tests.system.site import ETC, NAME, Site, prepared
from tests.system.test_process import busy_shop, get
from tests.targets import MailServer, mail_server

pytestmark = pytest.mark.timeout(600)  # the first test creates the machine


@pytest.fixture(scope="module")
def installed(guarded: EmbeddedMongo) -> Iterator[Site]:
    """Install once for this file; one worker runs its tests (tests/schedule.py)."""
    with prepared(guarded) as site:
        shop.plans(site.db)
        site.install("--mongodb-uri-file", "/root/uri")
        yield site


@pytest.fixture
def site(installed: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Return the site with the service ready; print its journal if the test fails."""
    installed.await_ready()
    failed = request.session.testsfailed
    yield installed
    installed.mongo.members[0].send(signal.SIGCONT)
    if request.session.testsfailed > failed:
        print(installed.machine.run("journalctl", "--no-pager", "--lines=150"))


@pytest.fixture
def mailbox() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def sell(site: Site, name: str) -> Any:
    pro = site.db.plans.find_one({"name": "pro"})
    assert pro is not None
    return shop.license(site.db, shop.customer(site.db, name), pro["_id"])


def await_sold(site: Site, license: Any) -> None:
    wait_for(lambda: events(site.db)["license_created", license] == 1, "the license event")


def test_it_is_ready_only_once_the_stream_is_open(site: Site) -> None:
    site.systemctl("stop")
    start = site.cursor()
    mongod = site.mongo.members[0]
    mongod.send(signal.SIGSTOP)
    site.systemctl("start", "--no-block")
    wait_for(lambda: int(site.show("NRestarts")) > 0, "an attempt to fail")
    assert site.show("ActiveState") == "activating"
    mongod.send(signal.SIGCONT)
    site.await_ready()

    logged = [json.loads(line)["event"] for line in site.journal(start) if line.startswith("{")]
    assert logged.index("stream.opened") < logged.index("daemon.ready")


def test_the_status_shows_role_lag_last_event_and_last_rollup(site: Site) -> None:
    license = sell(site, "Ada")
    await_sold(site, license)
    today = f"{clock.now():%Y-%m-%d}"
    whole = rf"leader, \d+ s behind; last event {today} [0-9:]+ UTC; last rollup {today} [0-9:]+ UTC"

    wait_for(lambda: re.fullmatch(whole, site.show("StatusText")) is not None, f"the status to be {whole}")


def test_it_is_not_ready_while_mongod_is_stopped_and_recovers_in_the_same_process(site: Site) -> None:
    pid, mongod = site.show("MainPID"), site.mongo.members[0]
    mongod.send(signal.SIGSTOP)
    wait_for(lambda: get(site.port, "/readyz")[0] == 503, "it to be not ready")
    wait_for(lambda: site.show("StatusText").startswith("retrying: the database"), "the status to show it")
    mongod.send(signal.SIGCONT)
    site.await_ready()

    await_sold(site, sell(site, "Bea"))
    assert site.show("MainPID") == pid


def test_the_watchdog_kills_a_stopped_process_and_its_successor_loses_nothing(site: Site) -> None:
    drop_in = f"/run/systemd/system/{NAME}.service.d/watchdog.conf"
    site.machine.write(drop_in, "[Service]\nWatchdogSec=4\nTimeoutAbortSec=1\n")
    site.machine.run("systemctl", "daemon-reload")
    site.systemctl("restart")
    site.await_ready()
    start, pid = site.cursor(), site.show("MainPID")
    site.systemctl("kill", "--signal=STOP")
    license = sell(site, "Cleo")
    wait_for(lambda: site.show("MainPID") not in (pid, "0"), "another process")
    site.await_ready()
    await_sold(site, license)
    site.machine.run("rm", drop_in)
    site.machine.run("systemctl", "daemon-reload")

    assert any("Watchdog timeout" in line for line in site.journal(start, "systemd"))
    logged = site.journal(start)
    assert any("most recent call first" in line for line in logged), "no traceback of the threads"
    # faulthandler prints all threads, unless it crashes while it reads the frames of running ones.
    assert any("Current thread" in line or "Segmentation fault" in line for line in logged), (
        "the traceback is incomplete"
    )
    assert_ledger_consistent(site.db)


def test_it_is_restarted_after_kill_nine_and_nothing_is_lost_or_duplicated(site: Site) -> None:
    done = threading.Event()
    writer = threading.Thread(target=busy_shop, args=(site.db, 300, done))
    writer.start()
    before = int(site.show("NRestarts"))
    while not done.is_set():
        site.systemctl("kill", "--signal=KILL", check=False)
        site.await_ready()
    writer.join()
    wait_for(lambda: totals(site.db) == recount(site.db), "the totals to match the source")

    assert int(site.show("NRestarts")) > before
    assert_ledger_consistent(site.db)
    assert_each_event_once(site.db)


def test_a_wrong_password_stays_down_with_one_sentence(site: Site) -> None:
    site.machine.write(f"{ETC}/mongodb-uri", site.uri("wrong-canary"), "600")
    site.systemctl("stop")
    start = site.cursor()
    assert "failed" in site.systemctl("start", check=False)

    logged = site.journal(start)
    assert len(logged) == 1 and "password" in logged[0], logged
    assert site.journal(start, priority=3) == logged
    assert "wrong-canary" not in logged[0]
    assert (site.show("ActiveState"), site.show("ExecMainStatus")) == ("failed", "77")
    assert site.show("NRestarts") == "0"
    site.machine.write(f"{ETC}/mongodb-uri", site.uri(), "600")
    site.systemctl("restart")
    site.await_ready()


def test_a_reload_applies_the_rules_and_keeps_position_and_process(site: Site) -> None:
    pid, gaps = site.show("MainPID"), site.db.analytics_gaps.count_documents({})
    changed = site.configuration + '[rules.texts]\nnew_customer = "Benvenuto: {name}"\n'
    site.machine.write(f"{ETC}/config.toml", changed)
    site.systemctl("reload")
    wait_for(lambda: bool(_events_with(site, "Benvenuto: Dora", "Dora")), "the new text")
    start = site.cursor()
    site.machine.write(f"{ETC}/config.toml", changed.replace("port", "prt"))
    assert "failed" in site.systemctl("reload", check=False)

    assert any("http.prt: unknown setting" in line for line in site.journal(start))
    site.machine.write(f"{ETC}/config.toml", site.configuration)
    site.systemctl("reload")
    assert (site.show("ActiveState"), site.show("MainPID")) == ("active", pid)
    assert site.db.analytics_gaps.count_documents({}) == gaps
    assert_ledger_consistent(site.db)


def _events_with(site: Site, description: str, name: str) -> int:
    """Insert a customer, then count events with this description (the reload takes a moment, so try repeatedly)."""
    shop.customer(site.db, name)
    return site.db.business_events.count_documents({"description": description})


def test_the_hardened_service_delivers_to_a_webhook_by_mail_and_through_apprise(
    site: Site, httpserver: HTTPServer, mailbox: MailServer
) -> None:
    """The machine has the host's network, so receivers on loopback also pass the strictest address filter."""
    httpserver.expect_request(re.compile("/(hook|chat)")).respond_with_data("ok")
    secrets = {"n8n": SECRET, "owner": mailbox.url, "desk": f"json://127.0.0.1:{httpserver.port}/chat"}
    tables = f'[webhooks.n8n]\nurl = "http://127.0.0.1:{httpserver.port}/hook"\n' + "".join(
        f'[notify.{name}]\nquiet = ""\n' for name in ("owner", "desk")
    )
    assert site.machine.run("stat", "-c", "%a %U", f"{ETC}/targets") == "700 root\n"
    with targets(site, tables, secrets), drop_in(site, "local-mongodb.conf"):
        site.systemctl("restart")
        site.await_ready()
        wait_for(lambda: site.db.analytics_targets.count_documents({}) == 3, "the targets to begin")
        checked = site.machine.run(f"/usr/local/bin/{NAME}", "check", check=False)
        shop.customer(site.db, "Nuñez")
        wait_for(
            lambda: bool(mailbox.mails) and {"/hook", "/chat"} <= {one.path for one, _ in httpserver.log}, "all", 60
        )
    received = [request.get_json(force=True) for request, _ in httpserver.log]

    assert any(one.get("data", {}).get("event_type") == "new_customer" for one in received)
    assert any("Nuñez" in one.get("message", "") for one in received)
    assert b"owner@shop.it" in mailbox.mails[0]
    for name in secrets:
        assert f"ok      target {name}: " in checked, checked


def test_it_starts_without_the_directory_of_targets(site: Site) -> None:
    site.machine.run("rm", "-r", f"{ETC}/targets")
    site.systemctl("restart")
    site.await_ready()
    site.machine.run("install", "-d", "-m", "700", f"{ETC}/targets")


def test_check_names_the_drop_in_for_a_target_that_the_address_filter_forbids(site: Site) -> None:
    outside = '[webhooks.n8n]\nurl = "https://203.0.113.7/hook"\n[notify.owner]\n'
    secrets = {"n8n": SECRET, "owner": "tgram://123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/42"}
    forbidden = "the address filter of chatello-analytics.service forbids it"
    with targets(site, outside, secrets), drop_in(site, "local-mongodb.conf"):
        checked = site.machine.run(f"/usr/local/bin/{NAME}", "check", check=False)
        with drop_in(site, "outside-targets.conf"):
            allowed = site.machine.run(f"/usr/local/bin/{NAME}", "check", check=False)

    for name in secrets:
        assert f"PROBLEM target {name}: {forbidden}" in checked, checked
    assert "install the drop-in deploy/systemd/outside-targets.conf" in checked
    assert forbidden not in allowed
    assert "PALDsaw" not in checked + allowed


@contextmanager
def targets(site: Site, tables: str, secrets: Mapping[str, str]) -> Iterator[None]:
    """Configure targets of deliveries with their secrets; at the end the service runs without them again."""
    site.machine.write(f"{ETC}/config.toml", site.configuration + tables)
    for name, secret in secrets.items():
        site.machine.write(f"{ETC}/targets/{name}", secret, "600")
    try:
        yield
    finally:
        site.machine.write(f"{ETC}/config.toml", site.configuration)
        site.machine.run("sh", "-c", f"rm {ETC}/targets/*")
        site.systemctl("restart")
        site.await_ready()


@contextmanager
def drop_in(site: Site, name: str) -> Iterator[None]:
    """Install a drop-in as its first lines describe, and remove it at the end."""
    file = f"/etc/systemd/system/{NAME}.service.d/{name}"
    site.machine.run("install", "-D", "-m", "644", f"{SOURCE}/deploy/systemd/{name}", file)
    site.machine.run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        site.machine.run("rm", file)
        site.machine.run("systemctl", "daemon-reload")


def test_it_stops_within_ten_seconds_during_work(site: Site) -> None:
    done = threading.Event()
    writer = threading.Thread(target=busy_shop, args=(site.db, 200, done))
    writer.start()
    began = clock.monotonic()
    site.systemctl("stop")
    took = clock.monotonic() - began
    done.set()
    writer.join()

    assert took < 10
    assert (site.show("Result"), site.show("ExecMainStatus")) == ("success", "0")
    site.systemctl("start")
    wait_for(lambda: totals(site.db) == recount(site.db), "it to catch up")


def test_after_a_reboot_it_starts_and_catches_up(site: Site) -> None:
    site.machine.shut_down("reboot")
    license = sell(site, "Eva")
    site.machine.boot()
    site.await_ready()

    await_sold(site, license)
    assert_ledger_consistent(site.db)
    assert_each_event_once(site.db)
