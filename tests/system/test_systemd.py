"""On a real systemd: ready when it follows, killed when it does not get on, begun again without loss, told in words."""

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
from tests.oracle import assert_books_balance, assert_each_event_once, events, recount, totals
from tests.system.site import ETC, NAME, Site, prepared
from tests.system.test_process import busy_shop, get

pytestmark = pytest.mark.timeout(600)  # the first of them makes the machine


@pytest.fixture(scope="module")
def installed(guarded: EmbeddedMongo) -> Iterator[Site]:
    """Installed once for the tests of this file: one worker runs them (tests/schedule.py)."""
    with prepared(guarded) as site:
        shop.plans(site.db)
        site.install("--mongodb-uri-file", "/root/uri")
        yield site


@pytest.fixture
def site(installed: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The service up and ready, whatever the test before did; its journal is shown where a test fails."""
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
    wait_for(lambda: events(site.db)["license_created", license] == 1, "the licence's event")


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

    told = [json.loads(line)["event"] for line in site.journal(start) if line.startswith("{")]
    assert told.index("stream.opened") < told.index("daemon.ready")


def test_status_tells_role_lag_last_event_and_last_rollup(site: Site) -> None:
    license = sell(site, "Ada")
    await_sold(site, license)
    today = f"{clock.now():%Y-%m-%d}"
    whole = rf"leader, \d+ s behind; last event {today} [0-9:]+ UTC; last rollup {today} [0-9:]+ UTC"

    wait_for(lambda: re.fullmatch(whole, site.show("StatusText")) is not None, f"the status to be {whole}")


def test_a_stopped_mongod_turns_it_not_ready_and_it_comes_back_by_itself(site: Site) -> None:
    pid, mongod = site.show("MainPID"), site.mongo.members[0]
    mongod.send(signal.SIGSTOP)
    wait_for(lambda: get(site.port, "/readyz")[0] == 503, "it to be not ready")
    wait_for(lambda: site.show("StatusText").startswith("retrying: the database"), "the status to say so")
    mongod.send(signal.SIGCONT)
    site.await_ready()

    await_sold(site, sell(site, "Bea"))
    assert site.show("MainPID") == pid


def test_a_stopped_process_is_killed_by_the_watchdog_and_its_successor_loses_nothing(site: Site) -> None:
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
    told = site.journal(start)
    assert any("most recent call first" in line for line in told), "where the threads stood"
    # All of them, but where what tells it, looking at threads that run again, says that it stumbled half-way.
    assert any("Current thread" in line or "Segmentation fault" in line for line in told), "to the last one"
    assert_books_balance(site.db)


def test_kill_nine_starts_it_again_and_nothing_is_lost_or_doubled(site: Site) -> None:
    done = threading.Event()
    writer = threading.Thread(target=busy_shop, args=(site.db, 300, done))
    writer.start()
    before = int(site.show("NRestarts"))
    while not done.is_set():
        site.systemctl("kill", "--signal=KILL", check=False)
        site.await_ready()
    writer.join()
    wait_for(lambda: totals(site.db) == recount(site.db), "the totals to become true")

    assert int(site.show("NRestarts")) > before
    assert_books_balance(site.db)
    assert_each_event_once(site.db)


def test_a_wrong_password_stays_down_with_one_sentence(site: Site) -> None:
    site.machine.write(f"{ETC}/mongodb-uri", site.uri("wrong-canary"), "600")
    site.systemctl("stop")
    start = site.cursor()
    assert "failed" in site.systemctl("start", check=False)

    told = site.journal(start)
    assert len(told) == 1 and "password" in told[0], told
    assert site.journal(start, priority=3) == told
    assert "wrong-canary" not in told[0]
    assert (site.show("ActiveState"), site.show("ExecMainStatus")) == ("failed", "77")
    assert site.show("NRestarts") == "0"
    site.machine.write(f"{ETC}/mongodb-uri", site.uri(), "600")
    site.systemctl("restart")
    site.await_ready()


def test_a_reload_takes_up_the_rules_and_keeps_position_and_process(site: Site) -> None:
    pid, gaps = site.show("MainPID"), site.db.analytics_gaps.count_documents({})
    changed = site.configuration + '[rules.texts]\nnew_customer = "Benvenuto: {name}"\n'
    site.machine.write(f"{ETC}/config.toml", changed)
    site.systemctl("reload")
    wait_for(lambda: bool(_told_of(site, "Benvenuto: Dora", "Dora")), "the new words")
    start = site.cursor()
    site.machine.write(f"{ETC}/config.toml", changed.replace("port", "prt"))
    assert "failed" in site.systemctl("reload", check=False)

    assert any("http.prt: there is no such setting" in line for line in site.journal(start))
    site.machine.write(f"{ETC}/config.toml", site.configuration)
    site.systemctl("reload")
    assert (site.show("ActiveState"), site.show("MainPID")) == ("active", pid)
    assert site.db.analytics_gaps.count_documents({}) == gaps
    assert_books_balance(site.db)


def _told_of(site: Site, description: str, name: str) -> int:
    """Events with these words; the reload takes a moment, so another customer comes each time."""
    shop.customer(site.db, name)
    return site.db.business_events.count_documents({"description": description})


def test_it_stops_within_ten_seconds_in_the_middle_of_work(site: Site) -> None:
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


def test_a_reboot_starts_it_again_and_it_catches_up(site: Site) -> None:
    site.machine.shut_down("reboot")
    license = sell(site, "Eva")
    site.machine.boot()
    site.await_ready()

    await_sold(site, license)
    assert_books_balance(site.db)
    assert_each_event_once(site.db)
