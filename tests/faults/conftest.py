"""The servers the faults are injected into; each is one of our own, never the shared one."""

from collections.abc import Iterator

import pytest
from pymongo.database import Database

from daemon.embedded import EmbeddedMongo
from tests.faults.injection import Document, fresh_database


@pytest.fixture(scope="package")
def brittle() -> Iterator[EmbeddedMongo]:
    """One member with fail points."""
    with EmbeddedMongo(arguments=("--setParameter", "enableTestCommands=1")) as mongo:
        yield mongo


@pytest.fixture
def shop_db(brittle: EmbeddedMongo) -> Iterator[Database[Document]]:
    """An empty database on the brittle server."""
    with fresh_database(brittle.uri) as database:
        yield database


@pytest.fixture(scope="module")
def forgetful() -> Iterator[EmbeddedMongo]:
    """One member whose oplog holds two megabytes (field note 12)."""
    with EmbeddedMongo(arguments=("--oplogSize", "2", "--syncdelay", "1")) as mongo:
        yield mongo


@pytest.fixture
def forgetful_db(forgetful: EmbeddedMongo) -> Iterator[Database[Document]]:
    with fresh_database(forgetful.uri) as database:
        yield database
