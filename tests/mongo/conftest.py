"""A shop with some months behind it, for the tests of its rows."""

from datetime import date

import pytest

from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from tests.shop_history import ShopHistory, config_of, local, restore_or_create, spring_history


@pytest.fixture
def life(database: Database) -> ShopHistory:
    return spring_history(database)


@pytest.fixture
def closed(life: ShopHistory) -> ShopHistory:
    """All its days and months closed, as of noon of the day behind the last."""
    restore_or_create(
        life.db,
        "closed",
        lambda: Rollup(life.db, ActiveConfig(config_of(life.db))).close_missing(local(date(2025, 6, 30), 12)),
    )
    return life
