"""A few stories a day; `make soak MINUTES=60` tells them for an hour. A failure prints the seed that replays it."""

import os
import random
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests import shop
from tests.simulation.simulation import Simulation

STORIES = int(os.environ.get("CHATELLO_TEST_STORIES", "100"))
FIRST = int(os.environ.get("CHATELLO_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + STORIES))
def test_whatever_happens_the_books_balance_and_each_fact_is_told_once(
    mongo_uri: str, client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]], seed: int
) -> None:
    print(f"replay with CHATELLO_TEST_SEED={seed} CHATELLO_TEST_STORIES=1")
    story = Simulation(client, database, lambda **more: shop.config_for(mongo_uri, database, **more), seed)
    story.run(steps=10)
