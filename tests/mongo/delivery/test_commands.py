"""`chatello-analytics deliveries …`: the command line beside a dispatcher that sends to receivers on loopback."""

import base64
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from daemon import clock
from daemon.delivery import target_store
from daemon.delivery.schedule import State
from daemon.delivery.target_store import ParkedMessage, TargetRecord
from daemon.mongo.types import Database
from daemon.store import outbox
from daemon.store.outbox import OutboxPosition
from tests import targets
from tests.mongo.delivery.conftest import SECRET, Outbox, Receiver, sold, webhook
from tests.mongo.delivery.test_webhooks import Term, started, state_of, wait_for
from tests.system.test_process import run_once

Command = Callable[..., tuple[int, str]]
COMMANDS = ("show", "pause", "resume", "retry", "replay", "test")
SINCE = ("--since", "2026-11-20")


def options(command: str) -> tuple[str, ...]:
    return SINCE if command == "replay" else ()


@pytest.fixture
def file(tmp_path: Path, receiver: Receiver, httpserver: HTTPServer) -> Path:
    """A configuration with a webhook and a person, and their secrets."""
    return targets.configure(
        tmp_path, SECRET, n8n=receiver.url, owner=f"json://127.0.0.1:{httpserver.port}/canary-topic"
    )


@pytest.fixture
def command(mongo_uri: str, database: Database, file: Path) -> Command:
    def call(*arguments: str) -> tuple[int, str]:
        words = arguments or ("list",)
        return run_once(
            "deliveries",
            *words,
            "--config",
            str(file),
            MONGODB_URI=mongo_uri,
            MONGODB_DATABASE=database.name,
        )

    return call


@pytest.fixture
def record(database: Database) -> TargetRecord:
    """The stored record of the webhook, at the beginning of the outbox."""
    return target_store.open_record(database, "n8n", 1, outbox.end(database), clock.now())


def change(database: Database, change: Callable[[TargetRecord], TargetRecord]) -> None:
    target_store.save(database, change(state_of(database)))


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_target_is_one_sentence_with_the_known_ones(command: Command, name: str) -> None:
    status, output = command(name, "n8m", *options(name))

    assert (status, output) == (
        78,
        "chatello-analytics: no target 'n8m' in the configuration; configured targets: n8n, owner\n",
    )


@pytest.mark.parametrize("name", [one for one in COMMANDS if one != "test"])
def test_a_target_that_never_started_is_one_sentence(command: Command, name: str) -> None:
    status, output = command(name, "n8n", *options(name))

    assert (status, output) == (
        78,
        "chatello-analytics: target 'n8n' has not started yet; start the daemon with this configuration once\n",
    )


def test_without_a_command_each_target_has_one_line(
    mongo_uri: str, database: Database, command: Command, record: TargetRecord, written: Outbox
) -> None:
    written.commit(sold("one"), at=datetime(2026, 11, 26, 8, 30, tzinfo=UTC))
    status, output = command()

    assert (status, output.splitlines()) == (
        0,
        [
            "n8n: active, 1 commits wait since 2026-11-26 09:30 CET, last success never",
            "owner: not started yet; the daemon begins with the first fact after its next start",
        ],
    )
    assert run_once("deliveries", MONGODB_URI=mongo_uri, MONGODB_DATABASE=database.name) == (
        0,
        "none: no [webhooks.NAME] or [notify.NAME] in the configuration\n",
    )


def test_a_failing_target_shows_its_problem_its_next_attempt_and_its_parked_messages(
    command: Command, database: Database, record: TargetRecord
) -> None:
    at = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
    parked = ParkedMessage(OutboxPosition(1, 1), "5f0c2a9e", 422, at)
    failing = record.target._replace(
        state=State.FAILING, attempts=3, next_attempt_at=at, last_error="HTTP 503", since=at
    )
    change(database, lambda record: record._replace(target=failing, parked=(parked,)))
    status, listed = command("list")
    _, shown = command("show", "n8n")

    assert status == 0
    assert "n8n: failing, 0 commits wait, last success never, 1 parked, problem: HTTP 503" in listed
    assert [line.split(maxsplit=1)[0] for line in shown.splitlines()][:2] == ["state", "waiting"]
    assert "failing since 2026-11-26 09:30 CET" in shown
    assert "next attempt       2026-11-26 09:30 CET" in shown
    assert "oldest             none" in shown
    assert "5f0c2a9e  refused with 422 2026-11-26 09:30 CET" in shown


def test_a_paused_target_gets_nothing_until_it_is_resumed(
    term: Term, database: Database, receiver: Receiver, written: Outbox, command: Command
) -> None:
    dispatcher = started(term(n8n=webhook(receiver)), database)
    assert command("pause", "n8n") == (0, "n8n: paused; what is committed waits, at most 30 days\n")
    written.commit(sold("one"))
    dispatcher.wake()
    wait_for(lambda: "paused, 1 commits wait" in command("list")[1])
    assert receiver.ids == []
    assert command("resume", "n8n") == (0, "n8n: active; the daemon sends what waits within half a minute\n")
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["one"])


def test_a_disabled_target_is_sent_to_again_after_resume(
    term: Term, database: Database, receiver: Receiver, written: Outbox, command: Command
) -> None:
    dispatcher = started(term(n8n=webhook(receiver)), database)
    receiver.answers = [410]
    written.commit(sold("one"))
    dispatcher.wake()
    wait_for(lambda: state_of(database).target.state is State.DISABLED)
    assert "problem: HTTP 410 Gone" in command("list")[1]
    command("resume", "n8n")
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["one"])


def test_retry_does_not_wait_for_the_next_attempt_and_sends_parked_messages(
    term: Term, database: Database, receiver: Receiver, written: Outbox, command: Command
) -> None:
    dispatcher = started(term(n8n=webhook(receiver)), database)
    written.commit(sold("one"))
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["one"])
    receiver.answers = [503]
    written.commit(sold("two"))
    dispatcher.wake()
    wait_for(lambda: state_of(database).target.state is State.FAILING)
    parked = ParkedMessage(OutboxPosition(1, 1), "one", 422, clock.now())
    later = clock.now() + timedelta(hours=1)
    change(
        database,
        lambda record: record._replace(target=record.target._replace(next_attempt_at=later), parked=(parked,)),
    )
    assert command("retry", "n8n") == (0, "n8n: tried within half a minute, with 1 parked messages\n")
    dispatcher.wake()
    wait_for(lambda: receiver.ids == ["one", "one", "two"])

    assert state_of(database).parked == ()


def test_replay_counts_first_and_then_sends_again_under_the_same_ids(
    term: Term, database: Database, receiver: Receiver, written: Outbox, command: Command
) -> None:
    dispatcher = started(term(n8n=webhook(receiver)), database)
    for day in (18, 19, 20, 21):
        written.commit(sold(f"of-{day}"), at=datetime(2026, 11, day, 12, tzinfo=UTC))
    dispatcher.wake()
    wait_for(lambda: len(receiver.ids) == 4)
    wait_for(lambda: state_of(database).position == (4, 1))
    assert command("replay", "n8n", *SINCE, "--dry-run") == (
        0,
        "n8n: 2 commits would be sent, with those that wait\n",
    )
    assert state_of(database).position == (4, 1)
    assert command("replay", "n8n", *SINCE) == (
        0,
        "n8n: 2 commits are sent, with those that wait, beginning within half a minute\n",
    )
    dispatcher.wake()
    wait_for(lambda: receiver.ids[4:] == ["of-20", "of-21"])


def test_replay_since_a_later_day_skips_nothing_that_waits(
    command: Command, database: Database, record: TargetRecord, written: Outbox
) -> None:
    written.commit(sold("waits"), at=datetime(2026, 11, 18, tzinfo=UTC))
    before = state_of(database).position
    _, output = command("replay", "n8n", "--since", "2026-11-25")

    assert "1 commits are sent" in output
    assert state_of(database).position == before


def test_what_is_made_due_for_a_paused_target_waits_until_it_is_resumed(
    command: Command, database: Database, record: TargetRecord
) -> None:
    command("pause", "n8n")

    assert "tried once it is resumed; it is paused now" in command("retry", "n8n")[1]
    assert "beginning once it is resumed; it is paused now" in command("replay", "n8n", *SINCE)[1]
    assert state_of(database).target.state is State.PAUSED


@pytest.mark.parametrize("day", ["2026-13-01", "gestern"])
def test_replay_refuses_what_is_no_day(command: Command, day: str) -> None:
    status, output = command("replay", "n8n", "--since", day)

    assert status == 2
    assert f"'{day}' is not a day; use YYYY-MM-DD, today or yesterday" in output


def test_test_is_accepted_by_a_receiver_that_verifies_it_and_is_marked(command: Command, receiver: Receiver) -> None:
    assert command("test", "n8n") == (0, "n8n: accepted, answer: 200 {}\n")
    (body,) = receiver.bodies

    assert body["id"].startswith("test-")
    assert body["data"]["metadata"] == {"test": 1}


def test_test_reaches_a_person(command: Command, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/canary-topic").respond_with_data("ok")

    assert command("test", "owner") == (0, "owner: accepted\n")
    assert "chatello" in httpserver.log[0][0].get_json()["message"].lower()


def test_test_has_status_one_and_the_answer_if_it_is_not_accepted(
    command: Command, receiver: Receiver, httpserver: HTTPServer
) -> None:
    receiver.answers = [503]
    refused, output = command("test", "n8n")
    httpserver.expect_request("/canary-topic").respond_with_data("no", 403)
    failed, of_person = command("test", "owner")

    assert (refused, output) == (1, "n8n: not accepted: HTTP 503 Service Unavailable, answer: 503 {}\n")
    assert failed == 1
    assert "owner: not accepted: " in of_person
    assert "canary" not in of_person


@pytest.mark.parametrize("name", ["n8n", "owner"])
def test_nothing_is_sent_without_a_secret(command: Command, file: Path, httpserver: HTTPServer, name: str) -> None:
    (file.parent / "targets" / name).unlink()
    status, output = command("test", name)
    other = {"n8n": "owner", "owner": "n8n"}[name]

    assert status == 78
    assert f"target {name}: its secret is missing or not readable; write " in output
    assert str(file.parent / "targets" / name) in output
    assert httpserver.log == []
    assert "secret" not in command("test", other)[1]


def test_no_command_shows_a_secret(command: Command, file: Path, database: Database, record: TargetRecord) -> None:
    canary = f"whsec_{base64.b64encode(os.urandom(30)).decode()}"
    targets.write_secret(file, "n8n", canary)
    shown = [command(name, "n8n", *options(name))[1] for name in COMMANDS] + [command()[1]]

    assert canary.removeprefix("whsec_") not in "".join(shown)
    assert "canary-topic" not in "".join(shown)
