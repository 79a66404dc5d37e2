"""While one batch commits the next is prepared on what it will leave behind; where it fails, nothing of that counts."""

from collections.abc import Callable
from itertools import count, cycle
from typing import Any

import pytest

from daemon.errors import Unavailable
from daemon.mongo.types import Database
from daemon.pipeline import state_memory
from daemon.pipeline.pending_commit import PendingCommit
from daemon.pipeline.prefetch import Prefetch
from daemon.store.commit import Committer, Writes
from daemon.store.lease import LEASE_ID
from rules.model.decision import Decision, Mirror
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the states of each batch, as in a large shop."""
    monkeypatch.setattr(state_memory, "MAX_STATES", 0)


def backlog(db: Database, plans: dict[str, Any]) -> Any:
    """New customers with licenses that change plan right away and again, in batches that overlap; the last customer."""
    sold = [shop.license(db, shop.customer(db, f"C{n}"), plans["pro"]) for n in range(30)]
    for license, plan in zip(sold * 3, cycle((plans["starter"], plans["agency"])), strict=False):
        db.licenses.update_one({"_id": license}, {"$set": {"plan_id": plan}})
    db.licenses.delete_one({"_id": sold[0]})
    db.customers.update_one({"name": "C1"}, {"$set": {"name": "C1 bis"}, "$unset": {"company": ""}})
    return shop.customer(db, "the last one")


@pytest.fixture
def took_off(monkeypatch: pytest.MonkeyPatch) -> list[PendingCommit]:
    """Every commit that went on in the background."""
    flights: list[PendingCommit] = []
    take_off = PendingCommit.start

    def keep(flight: PendingCommit) -> None:
        flights.append(flight)
        take_off(flight)

    monkeypatch.setattr(PendingCommit, "start", keep)
    return flights


@pytest.fixture
def looked_ahead(monkeypatch: pytest.MonkeyPatch) -> list[Decision]:
    """What had been decided meanwhile, each time a batch was decided on with states that were looked up ahead."""
    newer: list[Decision] = []
    sources = Prefetch.sources

    def keep(sight: Prefetch) -> tuple[Decision | Mirror, ...]:
        found = sources(sight)
        newer.extend([sight.newer] if len(found) > 1 else [])
        return found

    monkeypatch.setattr(Prefetch, "sources", keep)
    return newer


def test_a_batch_prepared_while_the_last_commits_knows_what_that_leaves_behind(
    mongo_uri: str, database: Database, took_off: list[PendingCommit], looked_ahead: list[Decision]
) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database, stream={"batch_size": 7})
    with shop.running(config):
        pass
    last = backlog(database, plans)
    with shop.running(config):
        shop.until(lambda: events(database)["new_customer", last] == 1, "the last event")

    assert len(took_off) > 3, "nothing overlapped: this test proves nothing"
    assert sum(bool(newer.licenses) for newer in looked_ahead) > 3, "nothing was looked up ahead"
    assert_ledger_consistent(database)
    assert_each_event_once(database)


@pytest.mark.parametrize("failing", [2, 3, 5])
def test_a_batch_that_was_prepared_on_one_that_failed_is_never_written(
    mongo_uri: str, database: Database, took_off: list[PendingCommit], monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database, stream={"batch_size": 7})
    with shop.running(config):
        pass
    last = backlog(database, plans)
    written = failing_once(monkeypatch, failing)
    with pytest.raises(Unavailable, match="on purpose"), shop.running(config) as run:
        shop.until(lambda: run.error is not None, "the failure to come out")
    after = len(written)
    monkeypatch.undo()
    database.analytics_checkpoint.update_one({"_id": LEASE_ID}, {"$unset": {"expires_at": ""}})
    with shop.running(config):
        shop.until(lambda: events(database)["new_customer", last] == 1, "the last event")

    assert after == failing - 1
    assert took_off
    assert_ledger_consistent(database)
    assert_each_event_once(database)


def failing_once(monkeypatch: pytest.MonkeyPatch, failing: int) -> list[Writes]:
    """Let the n-th commit fail; those that went through."""
    written: list[Writes] = []
    calls = count(1)
    write: Callable[[Committer, Writes], int] = Committer.write

    def attempt(committer: Committer, writes: Writes) -> int:
        if next(calls) == failing:
            raise Unavailable("on purpose")
        written.append(writes)
        return write(committer, writes)

    monkeypatch.setattr(Committer, "write", attempt)
    return written
