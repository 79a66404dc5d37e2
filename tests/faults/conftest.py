"""The servers the faults are injected into; each is one of our own, never the shared one."""

from collections.abc import Iterator

import pytest

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database
from tests import shop


@pytest.fixture(scope="module")
def forgetful() -> Iterator[EmbeddedMongo]:
    """One member whose oplog holds two megabytes (field note 12)."""
    with EmbeddedMongo(arguments=("--oplogSize", "2", "--syncdelay", "1")) as mongo:
        yield mongo


@pytest.fixture
def forgetful_db(forgetful: EmbeddedMongo) -> Iterator[Database]:
    with shop.fresh_database(forgetful.uri) as database:
        yield database
