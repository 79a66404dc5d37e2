"""Random simulations; `make soak MINUTES=60` runs them for an hour. A failure prints the seed that replays it."""

import os
import random
import uuid

import pytest

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.leader import term
from daemon.mongo.types import Database
from daemon.pipeline import state_memory
from tests import shop
from tests.simulation.story import Simulation

STORIES = int(os.environ.get("CHATELLO_TEST_STORIES", "200"))
SEED = os.environ.get("CHATELLO_TEST_SEED")
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)
"""The same for all workers of a run, different for each run."""


@pytest.mark.parametrize("number", range(STORIES))
def test_the_ledger_is_consistent_and_each_event_recorded_once_after_random_faults(
    brittle: EmbeddedMongo, shop_db: Database, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(term, "ASK_AGAIN_SECONDS", 0.2)
    seed = (int(SEED) if SEED else random.Random(RUN).randrange(1, 10**6)) + number
    print(f"replay with CHATELLO_TEST_SEED={seed} CHATELLO_TEST_STORIES=1")
    uri = f"{brittle.uri}&heartbeatFrequencyMS=500"  # injected errors cause no server event, so the driver must poll
    story = Simulation(shop_db, lambda **more: shop.config_for(uri, shop_db, **more), seed)
    monkeypatch.setattr(state_memory, "MAX_STATES", story.max_states)
    story.run(steps=10)
