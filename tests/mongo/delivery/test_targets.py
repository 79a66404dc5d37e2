"""A target across restores, errors of our own and the end of a term; and what it costs while nothing can be sent."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.config.targets import Webhook
from daemon.delivery import backlog, target_store
from daemon.delivery.channels import cloud_event
from daemon.delivery.dispatcher import Dispatcher
from daemon.delivery.people_worker import PeopleWorker
from daemon.delivery.schedule import State
from daemon.delivery.target_store import ParkedMessage
from daemon.delivery.webhook_worker import WebhookWorker
from daemon.delivery.worker import LOOK_SECONDS, MEASURE_SECONDS
from daemon.leader import announcements
from daemon.mongo.collections import OUTBOX, TARGETS
from daemon.mongo.types import Database
from daemon.runtime import metrics
from daemon.runtime.health import Health
from daemon.store import outbox, rows
from daemon.store.outbox import OutboxPosition
from daemon.store.outbox_writer import OutboxWriter
from rules import business_days
from rules.model.events import EventType
from rules.model.facts import Fact, FactType, GapFact
from tests import shop
from tests.daemon.source.test_any_document import ODD
from tests.mongo.delivery.conftest import NOON, SECRET, Outbox, Receiver, sold, webhook
from tests.mongo.delivery.test_people import DAY, Inbox, amended, closed, inbox, person, store_row
from tests.mongo.delivery.test_webhooks import started, state_of, wait_for
from tests.server_cost import examined

Term = Callable[..., Dispatcher]
__all__ = ["inbox"]


@pytest.fixture
def alone(database: Database) -> Callable[..., Any]:
    """Return the worker of one target, without its thread: a test looks for it."""

    def build(**targets: Any) -> Any:
        ((name, target),) = targets.items()
        kind = "webhooks" if isinstance(target, Webhook) else "notify"
        config = Config().model_copy(update={kind: {name: target}})
        dispatcher = Dispatcher(database, ActiveConfig(config), 1, Health())
        (worker,) = dispatcher.workers
        worker.open()
        return worker

    return build


def test_facts_that_get_the_numbers_of_lost_ones_are_delivered(
    term: Term, database: Database, receiver: Receiver, written: Outbox
) -> None:
    """After a restore of an older outbox, or of a target that was copied later, numbers are used again."""
    written.commit(sold("a"), sold("b"))
    target_store.open_record(database, "n8n", 1, OutboxPosition(40, 2), NOON)
    dispatcher = started(term(epoch=2, n8n=webhook(receiver)), database)
    wait_for(lambda: state_of(database).epoch == 2)
    written.commit(sold("c"))
    dispatcher.wake()

    wait_for(lambda: receiver.ids == ["c"])


def test_a_new_target_gets_everything_that_its_first_term_commits(
    term: Term, database: Database, receiver: Receiver, written: Outbox
) -> None:
    dispatcher = term(n8n=webhook(receiver))
    written.commit(sold("at-once"))
    dispatcher.wake()

    wait_for(lambda: receiver.ids == ["at-once"])


def test_a_document_of_thousands_of_facts_is_read_in_parts(
    alone: Callable[..., WebhookWorker],
    receiver: Receiver,
    written: Outbox,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, most = outbox.read, list[int]()

    def counted(*arguments: Any) -> Any:
        found = list(read(*arguments))
        most.append(len(found))
        return iter(found)

    worker = alone(n8n=webhook(receiver, only=["payment_failed"]))
    written.commit(*(sold(f"{number}") for number in range(3000)), sold("last", EventType.PAYMENT_FAILED))
    monkeypatch.setattr(outbox, "read", counted)
    worker._look()

    assert receiver.ids == ["last"]
    assert max(most) <= 200


def test_an_error_of_our_own_shows_as_a_failing_target_without_its_text(
    alone: Callable[..., WebhookWorker],
    receiver: Receiver,
    written: Outbox,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = alone(n8n=webhook(receiver))
    written.commit(sold("a"))
    with monkeypatch.context() as broken:
        broken.setattr(cloud_event, "body", _broken)
        worker._step()
        record = state_of(database)
        assert record.target.state is State.FAILING
        assert record.target.last_error.startswith("internal error: ValueError in _broken")
        assert "secret" not in record.target.last_error
    target_store.save(database, record._replace(target=record.target._replace(next_attempt_at=None)))
    worker._step()

    assert receiver.ids == ["a"]
    assert state_of(database).target.state is State.ACTIVE


def _broken(*_: object) -> bytes:
    raise ValueError("secret")


def test_an_attempt_that_the_end_of_the_term_cuts_short_is_no_failure(
    alone: Callable[..., WebhookWorker], receiver: Receiver, written: Outbox, database: Database
) -> None:
    worker = alone(n8n=webhook(receiver))
    written.commit(sold("a"))
    receiver.before_answer = worker.context.stop.set
    receiver.answers = [500]
    worker._step()

    assert state_of(database).target.state is State.ACTIVE
    assert state_of(database).position < (1, 1)


def test_name_and_text_of_any_external_event_can_be_read(
    alone: Callable[..., WebhookWorker], receiver: Receiver, written: Outbox, database: Database
) -> None:
    worker = alone(n8n=webhook(receiver, names=True))
    for number, odd in enumerate(ODD):
        reported, kind = sold(f"{number}", EventType.MILESTONE_REACHED), EventType.MILESTONE_REACHED.value
        event = dict.fromkeys(("metadata", "amount", "currency", "customer_id", "plan_name", "description"), odd)
        known = {"_id": reported.subject.reference, "event_type": kind, "event_date": NOON}  # type: ignore[union-attr]
        database["business_events"].insert_one({**event, **known})
        written.commit(reported)
    worker._step()

    assert receiver.ids == [f"{number}" for number in range(len(ODD))]
    assert all(body["data"]["text"] for body in receiver.bodies)


@pytest.fixture
def parked(alone: Callable[..., WebhookWorker], receiver: Receiver, written: Outbox) -> WebhookWorker:
    """A target that was asked to send six parked messages again, with a new one behind them."""
    worker = alone(n8n=webhook(receiver))
    written.commit(*(sold(f"poisoned-{number}") for number in range(6)))
    written.commit(sold("new"))
    record = worker._record()
    poisoned = (ParkedMessage(OutboxPosition(1, entry), f"poisoned-{entry - 1}", 422, NOON) for entry in range(1, 7))
    worker.save(record._replace(position=OutboxPosition(1, 6), resent=tuple(poisoned)))
    return worker


def test_parked_messages_that_are_refused_again_do_not_make_the_target_fail(
    parked: WebhookWorker, receiver: Receiver, database: Database
) -> None:
    receiver.refused = {f"poisoned-{number}" for number in (0, 1, 2, 4, 5)}
    parked._step()

    record = state_of(database)
    assert receiver.ids == ["poisoned-3", "new"]
    assert [one.id for one in record.parked] == [f"poisoned-{number}" for number in (0, 1, 2, 4, 5)]
    assert record.resent == ()
    assert (record.target.state, record.target.attempts, record.target.refusals) == (State.ACTIVE, 0, (0, None))


@pytest.mark.parametrize(("status", "state"), [(500, State.FAILING), (410, State.DISABLED)])
def test_the_first_failure_ends_the_sending_of_parked_messages(
    parked: WebhookWorker, receiver: Receiver, database: Database, status: int, state: State
) -> None:
    receiver.answers = [422, status]
    parked._step()

    record = state_of(database)
    assert receiver.ids == []
    assert (record.target.state, record.target.parked, record.resent) == (state, 6, ())


def test_parked_messages_are_still_to_be_sent_if_the_term_ends(
    parked: WebhookWorker, receiver: Receiver, database: Database
) -> None:
    receiver.answers = [422, 500]
    receiver.before_answer = lambda: parked.context.stop.set() if len(receiver.answers) == 1 else None
    parked._step()

    record = state_of(database)
    assert (len(record.parked), len(record.resent), record.target.state) == (1, 5, State.ACTIVE)


def test_a_target_without_news_writes_nothing(
    alone: Callable[..., WebhookWorker], receiver: Receiver, database: Database
) -> None:
    worker = alone(n8n=webhook(receiver))
    worker._step()
    before = database[TARGETS].find_one()
    for _ in range(3):
        worker._step()

    assert database[TARGETS].find_one() == before


def test_a_failing_target_for_which_nothing_waits_any_more_is_looked_at_as_an_idle_one(
    alone: Callable[..., WebhookWorker], receiver: Receiver, written: Outbox, database: Database
) -> None:
    worker = alone(n8n=webhook(receiver))
    written.commit(sold("a"))
    receiver.answers = [500]
    worker._step()
    record = state_of(database)
    past = record.target._replace(next_attempt_at=clock.now() - timedelta(seconds=1))
    target_store.save(database, record._replace(target=past, position=outbox.end(database)))
    time.sleep(MEASURE_SECONDS)

    assert worker._step() == LOOK_SECONDS


def test_a_dead_target_is_not_counted_again_for_each_commit(
    alone: Callable[..., WebhookWorker], receiver: Receiver, written: Outbox, database: Database
) -> None:
    worker = alone(n8n=webhook(receiver))
    receiver.answers = [500]
    for number in range(1000):
        written.commit(sold(f"{number}"))
    worker._step()
    assert state_of(database).target.state is State.FAILING

    assert examined(database, lambda: [worker._step() for _ in range(20)]) < 1500


def test_questions_are_searched_once_however_long_none_was_asked(
    alone: Callable[..., PeopleWorker], inbox: Inbox, written: Outbox, database: Database
) -> None:
    worker = alone(anna=person(inbox, now=["approval"]))
    for number in range(1000):
        written.commit(sold(f"{number}"))
    worker._step()
    written.commit(sold("one more"))
    assert examined(database, worker._step) < 50

    asked = GapFact("g", "upgrade", NOON, missing={"customers": 30})
    written.commit(Fact("g.approval", FactType.APPROVAL_REQUESTED, NOON, asked))
    worker._step()
    assert len(inbox.messages) == 1


def test_a_first_start_is_no_interruption_but_one_that_happens_in_it_is(
    alone: Callable[..., PeopleWorker], inbox: Inbox, database: Database
) -> None:
    opened = clock.now() - timedelta(minutes=20)
    gap = {"cause": "first_start", "detail": "", "since": opened, "opened_at": opened, "closed_at": None}
    known = database["analytics_gaps"].insert_one(gap).inserted_id
    worker = alone(anna=person(inbox, now=["interruption"]))
    worker._step()
    assert inbox.messages == []

    database["analytics_gaps"].update_one({"_id": known}, {"$set": {"further_causes": ["history_lost"]}})
    worker._step()
    assert len(inbox.messages) == 1


def measured(worker: PeopleWorker) -> list[float]:
    """Look once; return how many commits wait, and since when."""
    worker._measured_at = -MEASURE_SECONDS
    worker._step()
    gauges = (metrics.DELIVERY_WAITING, metrics.DELIVERY_OLDEST)
    return [one.labels(worker.name)._value.get() for one in gauges]


def test_a_failing_message_of_the_morning_waits_and_is_counted_when_its_days_are_deleted(
    alone: Callable[..., PeopleWorker], inbox: Inbox, written: Outbox, database: Database
) -> None:
    old = clock.now() - timedelta(days=40)
    worker = alone(anna=person(inbox, now=["license_cancelled"]))
    store_row(database, DAY, 7.99, "🎉 Nuovo cliente: TechCorp")
    inbox.answers = [500]
    written.commit(sold("not chosen"), at=old - timedelta(hours=9))
    written.commit(closed(DAY), at=old)
    written.commit(sold("not chosen"))
    measures = measured(worker)
    assert state_of(database, "anna").target.state is State.FAILING
    assert state_of(database, "anna").position == (3, 1), "only the message of the morning waits"
    assert measures == pytest.approx([1, old.timestamp()], abs=0.001)

    before = OutboxPosition(3, 0)
    Dispatcher(database, worker.context.config, 1, Health())._drop("anna", before)
    assert metrics.DELIVERIES.labels("anna", "dropped")._value.get() == 1
    assert backlog.count(database, state_of(database, "anna")) == 0


def test_an_interruption_that_cannot_be_reported_waits_without_a_fact(
    alone: Callable[..., PeopleWorker], inbox: Inbox, database: Database
) -> None:
    opened = clock.now() - timedelta(minutes=20)
    gap = {"cause": "history_lost", "detail": "", "since": opened, "opened_at": opened, "closed_at": None}
    database["analytics_gaps"].insert_one(gap)
    inbox.answers = [500]
    worker = alone(anna=person(inbox, now=["interruption"]))

    assert measured(worker)[1] == pytest.approx(state_of(database, "anna").target.since.timestamp(), abs=0.001)


def test_a_question_that_comes_while_facts_are_sent_stays_before_the_position(
    alone: Callable[..., PeopleWorker], inbox: Inbox, written: Outbox, database: Database
) -> None:
    worker = alone(anna=person(inbox))
    written.commit(sold("not chosen"))
    asked = GapFact("g", "upgrade", NOON, missing={"customers": 30})
    written.commit(Fact("g.approval", FactType.APPROVAL_REQUESTED, NOON, asked))
    record = worker._send_now(worker._record())

    assert record.position == (1, 1)
    worker._step()
    assert len(inbox.messages) == 1
    assert state_of(database, "anna").position == (2, 1)


def test_rows_that_become_final_one_after_the_other_are_one_message(
    term: Term, database: Database, inbox: Inbox, written: Outbox
) -> None:
    days = [DAY - timedelta(days=count) for count in (2, 1, 0)]
    dispatcher = started(term(anna=person(inbox)), database, "anna")
    for number, day in enumerate(days):
        store_row(database, day, 10.0 + number)
        written.commit(closed(day), amended(day - timedelta(days=9), 100, 200 + number))
        dispatcher.wake()
        time.sleep(0.2)
    wait_for(lambda: bool(inbox.messages))

    (message,) = inbox.messages
    assert message.count("📅") == 3


def test_a_receiver_that_is_back_after_two_days_gets_everything_at_its_next_attempt_in_order(
    alone: Callable[..., WebhookWorker],
    receiver: Receiver,
    written: Outbox,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Commits of one timestamp, more than one read of them, and far longer than an oplog may reach."""
    began, now = clock.now() - timedelta(hours=98), 0  # ends now: the receiver compares the time of the signature
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(hours=now))
    receiver.answers = [503] * 49
    worker = alone(n8n=webhook(receiver))
    for hour in range(48):
        for number in range(6):
            written.commit(sold(f"{hour}-{number}"), at=began)
        now = 2 * hour + 2
        worker._step()
    attempts = state_of(database).target.attempts
    assert (receiver.ids, attempts) == ([], 48)
    receiver.answers = []
    now += 2
    worker._step()

    assert receiver.ids == [f"{hour}-{number}" for hour in range(48) for number in range(6)]
    assert state_of(database).target.state is State.ACTIVE


class Killed(BaseException):
    """The process died at this point."""


@pytest.mark.parametrize("place", ["before the request", "before the answer is recorded"])
def test_a_kill_around_a_request_loses_nothing(
    alone: Callable[..., WebhookWorker],
    receiver: Receiver,
    written: Outbox,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    worker = alone(n8n=webhook(receiver))
    written.commit(sold("a"), sold("b"))
    with monkeypatch.context() as killed:
        if place == "before the request":
            killed.setattr(worker.sender, "send", _die)
        else:
            killed.setattr(target_store, "save", _die)
        with pytest.raises(Killed):
            worker._step()
    alone(n8n=webhook(receiver))._step()

    assert list(dict.fromkeys(receiver.ids)) == ["a", "b"]
    assert receiver.ids == (["a", "b"] if place == "before the request" else ["a", "b", "a", "b"])


def _die(*_: object) -> None:
    raise Killed


def test_a_kill_while_a_row_is_announced_announces_it_once(
    database: Database, mongo_uri: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark and the fact are one transaction, so after a kill inside it both are as before."""
    store = shop.config_for(mongo_uri, database, webhooks={"n8n": {"url": receiver.url, "secret": SECRET}})
    with shop.running(store):
        shop.until(lambda: database[TARGETS].count_documents({}) == 1, "the target")
    row = {"date": business_days.stored(DAY), "period_type": "daily", "mrr": 7.99, "auto_notes": ""}
    rows.write(database, row, final=True, now=NOON, announces=True)
    with (
        monkeypatch.context() as killed,
        pytest.raises(KeyboardInterrupt),
        shop.running(store) as run,
    ):
        killed.setattr(OutboxWriter, "write", _interrupt)
        assert run.leader is not None
        run.leader.jobs.put(announcements.announce)
        run.thread.join(30)
    assert database[OUTBOX].count_documents({}) == 0
    database["analytics_checkpoint"].update_one({"_id": "lease"}, {"$set": {"expires_at": NOON - timedelta(days=1)}})
    with shop.running(store) as again:
        assert again.leader is not None
        again.leader.jobs.put(announcements.announce)
        wait_for(lambda: len(receiver.ids) == 1)
        again.leader.jobs.put(announcements.announce)

    assert database[OUTBOX].count_documents({}) == 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
