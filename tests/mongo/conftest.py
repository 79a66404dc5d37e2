"""A shop with some months behind it, for the tests of its rows."""

from datetime import date

import pytest

from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from tests.shop_history import Life, config_of, grown, local, once


@pytest.fixture
def life(database: Database) -> Life:
    return grown(database)


@pytest.fixture
def closed(life: Life) -> Life:
    """All its days and months closed, as of noon of the day behind the last."""
    once(life.db, "closed", lambda: Rollup(life.db, config_of(life.db)).close_missing(local(date(2025, 6, 30), 12)))
    return life
