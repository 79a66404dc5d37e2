"""Delivery to webhooks: every fact once, in order, and across failures, restarts and two leaders."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.delivery import schedule, target_store
from daemon.delivery.dispatcher import Dispatcher
from daemon.delivery.schedule import State
from daemon.demo.embedded_mongo import wait_for as wait_until
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.store import outbox
from rules.model.events import EventType
from tests.mongo.delivery.conftest import Outbox, Receiver, sold, webhook

Term = Callable[..., Dispatcher]


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once, and park after five refusals."""
    monkeypatch.setattr(schedule, "DELAYS", (timedelta(0),))
    monkeypatch.setattr(schedule, "REFUSED_FOR", timedelta(0))


def wait_for(condition: Callable[[], bool]) -> None:
    wait_until(condition, "the delivery")


def state_of(database: Database, name: str = "n8n") -> target_store.TargetRecord:
    found = target_store.load(database, name)
    assert found is not None
    return found


def started(dispatcher: Dispatcher, database: Database, name: str = "n8n") -> Dispatcher:
    """Wait until a target has its record, so that it begins before the next fact."""
    wait_for(lambda: target_store.load(database, name) is not None)
    return dispatcher


def test_a_new_target_begins_at_the_newest_fact_and_gets_all_later_ones_in_order(
    term: Term, database: Database, receiver: Receiver, written: Outbox
) -> None:
    written.commit(sold("before"))
    dispatcher = started(term(n8n=webhook(receiver)), database)
    for number in range(120):
        written.commit(sold(f"a{number}"), sold(f"b{number}"))
    dispatcher.wake()
    wait_for(lambda: len(receiver.ids) == 240)

    assert receiver.ids == [f"{letter}{number}" for number in range(120) for letter in "ab"]


def test_only_chosen_types_are_sent(term: Term, database: Database, receiver: Receiver, written: Outbox) -> None:
    dispatcher = started(term(n8n=webhook(receiver, only=["license_cancelled"])), database)
    written.commit(sold("sale"), sold("end", EventType.LICENSE_CANCELLED))
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["end"])
    wait_for(lambda: state_of(database).position == (1, 2))


@pytest.mark.usefixtures("_at_once")
def test_a_failure_holds_up_everything_behind_it_and_nothing_is_lost(
    term: Term, database: Database, receiver: Receiver, written: Outbox
) -> None:
    dispatcher = started(term(n8n=webhook(receiver)), database)
    receiver.answers = [500, 302, 404, 200, 429, 200]
    written.commit(sold("one"), sold("two"), sold("three"))
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["one", "two", "three"])

    assert state_of(database).target.state is State.ACTIVE


@pytest.mark.usefixtures("_at_once")
def test_a_message_that_is_refused_as_such_is_parked_and_sent_again_on_request(
    term: Term, database: Database, receiver: Receiver, written: Outbox
) -> None:
    receiver.refused = {"poisoned"}
    dispatcher = started(term(n8n=webhook(receiver)), database)
    written.commit(sold("one"), sold("poisoned"), sold("three"))
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["one", "three"])
    wait_for(lambda: [one.id for one in state_of(database).parked] == ["poisoned"])

    receiver.refused = set()
    record = state_of(database)
    target_store.save(database, record._replace(resent=record.parked, parked=()))
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["one", "three", "poisoned"])
    wait_for(lambda: not state_of(database).resent)


def test_410_disables_a_target_until_a_person_resumes_it(
    term: Term, database: Database, receiver: Receiver, written: Outbox
) -> None:
    receiver.answers = [410]
    dispatcher = started(term(n8n=webhook(receiver)), database)
    written.commit(sold("one"))
    dispatcher.wake()
    wait_for(lambda: state_of(database).target.state is State.DISABLED)
    written.commit(sold("two"))
    dispatcher.wake()

    record = state_of(database)
    target_store.save(database, record._replace(target=schedule.resume(record.target, clock.now())))
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["one", "two"])


def test_the_next_leader_goes_on_where_the_last_one_stopped_and_the_former_one_sends_no_more(
    term: Term, database: Database, receiver: Receiver, written: Outbox
) -> None:
    former = started(term(n8n=webhook(receiver)), database)
    written.commit(sold("one"))
    former.wake()
    wait_for(lambda: state_of(database).position == (1, 1))
    term(epoch=2, n8n=webhook(receiver))
    wait_for(lambda: state_of(database).epoch == 2)
    written.commit(sold("two"))
    former.wake()
    wait_for(lambda: not any(thread.name == "deliver n8n" and thread.is_alive() for thread in former._threads))
    written.commit(sold("three"))

    later = state_of(database)
    assert later.epoch == 2
    assert later.position <= (3, 1)


def test_what_was_pruned_before_it_was_sent_is_counted_and_the_target_goes_on_behind_it(
    term: Term, database: Database, receiver: Receiver, written: Outbox
) -> None:
    dispatcher = started(term(n8n=webhook(receiver)), database)
    record = state_of(database)
    target_store.save(database, record._replace(target=schedule.pause(record.target, clock.now())))
    for days in (40, 35, 1):
        written.commit(sold(f"{days} days old"), at=clock.now() - timedelta(days=days))
    dispatcher._prune(dispatcher.config.current)

    assert [entry.fact.id for entry in outbox.read(database, outbox.BEGINNING, 9)] == ["1 days old"]
    assert state_of(database).position == (3, 0)


def test_the_heartbeat_follows_shortly_after_the_daemon_is_ready(
    database: Database, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A term begins before its leader is ready; the monitor must not wait for five minutes after each start."""
    monkeypatch.setattr("daemon.delivery.dispatcher.NOT_READY_SECONDS", 0.05)
    httpserver.expect_request("/ping").respond_with_data("")
    config, health = Config.model_validate({"delivery": {"heartbeat_url": httpserver.url_for("/ping")}}), Health()
    with Dispatcher(database, ActiveConfig(config), 1, health):
        time.sleep(0.1)
        assert httpserver.log == []
        health.set_role("leader", clock.monotonic())
        wait_for(lambda: len(httpserver.log) == 1)


@pytest.mark.parametrize("names", [True, False])
def test_names_are_sent_only_to_those_who_ask(
    term: Term, database: Database, receiver: Receiver, written: Outbox, names: bool
) -> None:
    event: dict[str, Any] = {"event_type": "marketing_campaign", "description": "Sconti a mario@example.it"}
    fact = sold("campaign", EventType.MARKETING_CAMPAIGN)
    database["business_events"].insert_one({"_id": fact.subject.reference, "event_date": clock.now(), **event})  # type: ignore[union-attr]
    dispatcher = started(term(n8n=webhook(receiver, names=names)), database)
    written.commit(fact)
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["campaign"])

    assert receiver.bodies[0]["data"].get("text") == ("Sconti a …" if names else None)
