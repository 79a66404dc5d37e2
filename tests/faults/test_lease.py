"""Several daemons, some stopped or killed: one writes at a time, and a stale leader writes nothing."""

import signal
from contextlib import ExitStack

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database, Document
from tests import measurements, shop
from tests.faults.injection import (
    Load,
    assert_nothing_lost_or_duplicated,
    wait_until_consistent,
    wait_until_ready,
)
from tests.oracle import events
from tests.system.test_process import get


def role(daemon: shop.Process) -> str:
    """Return the role that a daemon reports."""
    body = get(daemon.port, "/readyz")[1]
    return next((name for name in ("leader", "standby") if f'"role":"{name}"' in body.replace(" ", "")), body)


def test_a_leader_stopped_for_longer_than_its_lease_resumes_as_standby(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    shop.plans(db)
    with shop.process(brittle.uri, db.name) as stale, shop.process(brittle.uri, db.name) as second:
        shop.until(lambda: {role(stale), role(second)} == {"leader", "standby"}, "one leader and one standby", 30)
        holder, other = (stale, second) if role(stale) == "leader" else (second, stale)
        with Load(db, []) as load:
            load.more(50)
            holder.send(signal.SIGSTOP)
            shop.until(lambda: role(other) == "leader", "the other to take over", 20)
            load.more(50)
            holder.send(signal.SIGCONT)
            shop.until(lambda: role(holder) == "standby", "the stale leader to become a standby", 20)
            load.more(50)
        wait_until_consistent(db)
        shop.wait_until_committed(db)
        assert (role(holder), role(other)) == ("standby", "leader")

    assert_nothing_lost_or_duplicated(db)


def test_a_standby_leads_and_commits_while_the_former_leader_stays_away(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    """The former leader returns only after the standby has led for several terms of the lease."""
    db = shop_db
    shop.plans(db)
    with shop.process(brittle.uri, db.name) as first, shop.process(brittle.uri, db.name) as second:
        shop.until(lambda: {role(first), role(second)} == {"leader", "standby"}, "one leader and one standby", 30)
        former, other = (first, second) if role(first) == "leader" else (second, first)
        with Load(db, []) as load:
            load.more(50)
            epoch = lease(db)["epoch"]
            former.send(signal.SIGSTOP)
            shop.until(lambda: role(other) == "leader", "the standby to take over", 20)
            for _ in range(3):
                renewed_until = lease(db)["expires_at"]
                shop.until(lambda until=renewed_until: lease(db)["expires_at"] > until, "a renewal", 10)  # type: ignore[misc]
                load.more(20)
        wait_until_consistent(db, other)
        shop.wait_until_committed(db)
        held = lease(db)
        assert_nothing_lost_or_duplicated(db)
        former.send(signal.SIGCONT)
        shop.until(lambda: role(former) == "standby", "the former leader to become a standby", 20)
        shop.wait_until_committed(db)
        assert (role(former), role(other)) == ("standby", "leader")

    assert held["epoch"] == epoch + 1
    assert_nothing_lost_or_duplicated(db)


def test_another_of_three_daemons_takes_over_each_time_the_leader_is_killed(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    shop.plans(db)
    with ExitStack() as stack:
        daemons = [stack.enter_context(shop.process(brittle.uri, db.name)) for _ in range(3)]
        shop.until(lambda: "leader" in [role(one) for one in daemons], "the first leader", 30)
        with Load(db, []) as load:
            while len(daemons) > 1:
                shop.until(lambda: "leader" in [role(one) for one in daemons], "a leader", 30)
                load.more(40)
                leaders = [one for one in daemons if role(one) == "leader"]
                assert len(leaders) == 1
                leaders[0].kill()
                daemons.remove(leaders[0])
            shop.until(lambda: role(daemons[0]) == "leader", "the last one to become leader", 30)
            load.more(40)
        wait_until_consistent(db)
        shop.wait_until_committed(db)
        assert daemons[0].stop() == 0

    assert_nothing_lost_or_duplicated(db)


def test_with_the_lease_as_shipped_a_standby_commits_within_ten_seconds_of_the_holders_kill(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    shipped = {"CHATELLO_LEASE__SECONDS": "8", "CHATELLO_STREAM__AWAIT_SECONDS": "3"}
    with shop.process(brittle.uri, db.name, **shipped) as holder:
        shop.until(lambda: role(holder) == "leader", "the holder to become leader", 30)
        with shop.process(brittle.uri, db.name, **shipped) as standby:
            shop.until(lambda: role(standby) == "standby", "the standby", 30)
            renewed_until = lease(db)["expires_at"]
            shop.until(lambda: lease(db)["expires_at"] > renewed_until, "the lease to be renewed", 10)
            holder.kill()
            killed = clock.monotonic()
            shop.wait_until_committed(db, 20)
            took = clock.monotonic() - killed
            measurements.record(takeover_seconds=took)

    assert took < 10
    assert_nothing_lost_or_duplicated(db)


def lease(db: Database) -> Document:
    found = db.analytics_checkpoint.find_one({"_id": "lease"})
    assert found is not None
    return found


def test_a_second_sigterm_ends_the_process_immediately_and_the_next_one_resumes(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    shop.plans(db)
    with shop.process(brittle.uri, db.name) as daemon:
        wait_until_ready(daemon)
        with Load(db, []) as load:
            for _ in range(3):
                load.more(60)
                daemon.send(signal.SIGTERM)
                daemon.send(signal.SIGTERM)
                assert daemon.wait(10) in (0, 128 + signal.SIGTERM)
                daemon.start()
                wait_until_ready(daemon)
    with shop.process(brittle.uri, db.name) as daemon:
        wait_until_consistent(db, daemon)
        shop.wait_until_committed(db)
        assert daemon.stop() == 0

    assert sum(count for (kind, _), count in events(db).items() if kind == "license_created") >= 50
    assert_nothing_lost_or_duplicated(db)
