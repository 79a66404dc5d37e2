"""The service under a real systemd: readiness, watchdog, restarts without loss, status text, reload."""

import json
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events, recount, totals
from tests.system.site import ETC, NAME, Site, prepared
from tests.system.test_process import busy_shop, get

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
