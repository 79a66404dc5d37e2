"""Servers for fault injection, separate from the shared one."""

from collections.abc import Iterator

import pytest

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database
from tests import shop


@pytest.fixture(scope="module")
def forgetful() -> Iterator[EmbeddedMongo]:
    """Start one member with an oplog of 2 MB (field note 12)."""
    with EmbeddedMongo(arguments=("--oplogSize", "2", "--syncdelay", "1")) as mongo:
        yield mongo


@pytest.fixture
def forgetful_db(forgetful: EmbeddedMongo) -> Iterator[Database]:
    with shop.fresh_database(forgetful.uri) as database:
        yield database
