"""The database's disk is full: the daemon is not ready, waits, and resumes afterwards."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.mongo.client import CODEC
from daemon.mongo.types import Database
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, recount, totals
from tests.system.test_process import get, ready


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 450 MB; requires root."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system requires root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=450m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a file system is not permitted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_the_daemon_resumes_after_a_full_disk(small_disk: Path) -> None:
    client: MongoClient[dict[str, Any]]
    with (
        EmbeddedMongo(parent=small_disk) as mongo,
        MongoClient(mongo.uri, tz_aware=True, serverSelectionTimeoutMS=2000) as client,
        shop.process(mongo.uri, "shop", CHATELLO_MONGODB__TIMEOUT_SECONDS="3") as daemon,
    ):
        db: Database = client.get_database("shop", codec_options=CODEC)
        plans = shop.plans(db)
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        _fill(small_disk)
        _sell_until_it_fails(db, plans)
        wait_for(
            lambda: get(daemon.port, "/readyz")[0] == 503 or not daemon.is_running(), "the daemon to report it", 60
        )
        (small_disk / "filler").unlink()
        member = mongo.members[0]
        mongo.kill(member)
        mongo.start(member)
        mongo.primary()
        if not daemon.is_running():  # systemd would restart it
            daemon.start()
        wait_for(lambda: ready(daemon.port), "the daemon to be ready again", 60)
        shop.license(db, shop.customer(db, "after"), plans["pro"])
        wait_for(lambda: totals(db) == recount(db), "the totals to match", 30)
        assert_ledger_consistent(db)
        assert_each_event_once(db)


def _fill(disk: Path) -> None:
    with (disk / "filler").open("wb") as file:
        try:
            while True:
                file.write(b"x" * (1 << 20))
                file.flush()
        except OSError:
            return


def _sell_until_it_fails(db: Database, plans: dict[str, Any]) -> None:
    for number in range(20_000):
        try:
            shop.license(db, shop.customer(db, f"C{number}", metadata={"x": os.urandom(20_000)}), plans["pro"])
        except PyMongoError:
            return
    pytest.fail("the disk did not fill up")
