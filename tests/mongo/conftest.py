"""A shop with some months behind it, for the tests of its rows."""

from typing import Any

import pytest
from pymongo.database import Database

from tests.life import Life, grown


@pytest.fixture
def life(database: Database[dict[str, Any]]) -> Life:
    return grown(database)
