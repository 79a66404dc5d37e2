"""A real replica set for the storage tests: CHATELLO_TEST_MONGODB_URI if set, else a container, else embedded."""

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from pymongo import MongoClient, monitoring

from daemon.demo import embedded_mongo
from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.client import CODEC
from daemon.mongo.types import Database
from tests import containers, schedule, shop
from tests.source_reads import SourceReads

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SOURCE_READS = SourceReads()
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 12 * 2**30
"""Free memory from which on temporary files are kept there; the replica sets of four workers take about 6 GiB."""


def pytest_configure() -> None:
    """Restore SIGINT: a shell ignores it in background jobs, and child processes of the tests would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monitoring.register(SOURCE_READS)
    _keep_files_in_memory()
    _choose_own_ports()


def _keep_files_in_memory() -> None:
    """Put temporary files into memory if there is plenty: commits of the replica sets then wait for no disk."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # computed again from TMPDIR


def _choose_own_ports() -> None:
    """Let no worker choose a port that another one chose and has not opened yet."""
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    embedded_mongo.PORTS = embedded_mongo.PORTS[int(worker.removeprefix("gw")) :: int(workers)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: schedule.position(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> schedule.GroupScheduling:
    return schedule.GroupScheduling(config, log)


hypothesis.settings.register_profile(
    "full", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("quick", parent=hypothesis.settings.get_profile("full"), max_examples=25)
hypothesis.settings.register_profile(
    "mutants",
    parent=hypothesis.settings.get_profile("quick"),
    derandomize=True,
    database=None,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)
"""Profile of `make mutants`: the same examples for every mutant, and no search for a smaller failing example."""
hypothesis.settings.load_profile("full")


@pytest.fixture(scope="session")
def mongo_uri() -> Iterator[str]:
    """Return the URI of a replica set that tests may write to."""
    given = os.environ.get("CHATELLO_TEST_MONGODB_URI")
    if given:
        yield given
        return
    with containers.replica_set() as uri:
        yield uri


@pytest.fixture(scope="session")
def client(mongo_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """Return a client that reads only what is majority-committed: a row or page reads that too, at a snapshot."""
    opened: MongoClient[dict[str, Any]]
    with MongoClient(mongo_uri, tz_aware=True, readConcernLevel="majority") as opened:
        yield opened


@pytest.fixture
def database(client: MongoClient[dict[str, Any]]) -> Iterator[Database]:
    """Return an empty database for one test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield client.get_database(name, codec_options=CODEC)
    client.drop_database(name)


@pytest.fixture(autouse=True)
def source_reads() -> Iterator[SourceReads]:
    """Fail a test in which the daemon read the dashboard's collections without a collation."""
    SOURCE_READS.inexact.clear()
    yield SOURCE_READS
    assert SOURCE_READS.inexact == []


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Open a headless Chromium."""
    from tests.browser import chromium  # loads Playwright

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def brittle() -> Iterator[EmbeddedMongo]:
    """Start one member with fail points enabled."""
    with EmbeddedMongo(arguments=("--setParameter", "enableTestCommands=1")) as mongo:
        yield mongo


@pytest.fixture
def shop_db(brittle: EmbeddedMongo) -> Iterator[Database]:
    """Return an empty database on the server with fail points."""
    with shop.fresh_database(brittle.uri) as database:
        yield database


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongo]:
    """Start a replica set with access control; administrator `root`, password `root`."""
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o600)
    with EmbeddedMongo(arguments=("--auth", "--keyFile", str(key))) as mongo:
        mongo.create_user("root", "root", "root")
        yield mongo
