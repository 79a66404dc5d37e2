"""Messages to people, sent by real child processes to a receiver on loopback."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from daemon import clock
from daemon.config.targets import Notify
from daemon.delivery.dispatcher import Dispatcher
from daemon.demo.embedded_mongo import wait_for as wait_until
from daemon.mongo.types import Database
from daemon.store import rows
from rules import business_days
from rules.messages import timing
from rules.messages.timing import QuietHours
from rules.model.events import EventType
from rules.model.facts import Difference, Fact, FactType, GapFact, RowFact
from tests.mongo.delivery.conftest import NOON, Outbox, sold
from tests.mongo.delivery.test_webhooks import started, state_of

Term = Callable[..., Dispatcher]
DAY = date(2026, 11, 25)
ALWAYS = QuietHours(time(0), time(23, 59, 59, 999_999))


def wait_for(condition: Callable[[], bool]) -> None:
    wait_until(condition, "the message", 30)


class Inbox:
    """A receiver of apprise's JSON notifications."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = f"json://127.0.0.1:{server.port}/inbox"
        self.messages: list[str] = []
        self.answers: list[int] = []
        server.expect_request("/inbox").respond_with_handler(self._handle)

    def _handle(self, request: Request) -> Response:
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.messages.append(request.get_json()["message"])
        return Response("", status)


@pytest.fixture
def inbox(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    monkeypatch.setattr(timing, "COLLECT", timedelta(seconds=0.5))
    monkeypatch.setattr(timing, "COLLECT_ROWS", timedelta(seconds=0.5))
    return Inbox(httpserver)


def person(inbox: Inbox, **options: Any) -> Notify:
    return Notify.model_validate({"secret": inbox.url, "quiet": None, **options})


def closed(day: date) -> Fact:
    return Fact(f"day-{day}.x", FactType.DAY_CLOSED, NOON, RowFact(day, 0))


def amended(day: date, before: int, after: int) -> Fact:
    changes = (Difference("mrr_cents", before, after),)
    return Fact(f"day-{day}.r1.{after}", FactType.DAY_AMENDED, NOON, RowFact(day, 1, changes=changes))


def store_row(database: Database, day: date, mrr: float, note: str = "", **numbers: int) -> None:
    row = {"date": business_days.stored(day), "period_type": "daily", "mrr": mrr, "auto_notes": note}
    rows.write(database, row | numbers, final=True, now=clock.now())


def test_what_happened_at_once_is_one_message(term: Term, database: Database, inbox: Inbox, written: Outbox) -> None:
    dispatcher = started(term(anna=person(inbox)), database, "anna")
    written.commit(sold("a", EventType.LICENSE_CANCELLED), sold("not chosen"), sold("b", EventType.PAYMENT_FAILED))
    dispatcher.wake()
    wait_for(lambda: bool(inbox.messages))

    (message,) = inbox.messages
    assert message.splitlines() == ["😞 Licenza cancellata", "❌ Pagamento fallito"]


def test_a_fact_that_was_withdrawn_before_it_was_sent_is_not_mentioned(
    term: Term, database: Database, inbox: Inbox, written: Outbox
) -> None:
    ended = sold("a", EventType.LICENSE_CANCELLED)
    dispatcher = started(term(anna=person(inbox)), database, "anna")
    written.commit(ended, sold("b", EventType.PAYMENT_FAILED))
    written.commit(ended._replace(id="a.withdrawn", type=FactType.EVENT_WITHDRAWN))
    dispatcher.wake()
    wait_for(lambda: bool(inbox.messages))
    written.commit(ended._replace(id="b.withdrawn", type=FactType.EVENT_WITHDRAWN))
    dispatcher.wake()
    wait_for(lambda: len(inbox.messages) == 2)

    assert inbox.messages == ["❌ Pagamento fallito", "↩️ Non è più così: 😞 Licenza cancellata"]


def test_in_quiet_hours_only_questions_are_sent_and_the_rest_follows(
    term: Term, database: Database, inbox: Inbox, written: Outbox
) -> None:
    dispatcher = started(term(anna=person(inbox, quiet=ALWAYS)), database, "anna")
    asked = GapFact("g", "mass_deletion", NOON, missing={"customers": 30})
    written.commit(sold("a", EventType.LICENSE_CANCELLED), closed(DAY))
    written.commit(Fact("g.approval", FactType.APPROVAL_REQUESTED, NOON, asked))
    dispatcher.wake()
    wait_for(lambda: bool(inbox.messages))

    assert inbox.messages[0].startswith("🚨 Serve una decisione: dal database sono spariti 30 clienti")
    assert state_of(database, "anna").position < (1, 1)


def test_the_message_of_the_morning_has_the_corrections_and_the_day(
    term: Term, database: Database, inbox: Inbox, written: Outbox
) -> None:
    store_row(database, DAY - timedelta(days=1), 7.99)
    store_row(database, DAY, 15.98, "🎉 Nuovo cliente: TechCorp • 💰 Pagamento ricevuto: €7.99")
    dispatcher = started(term(anna=person(inbox, now=[])), database, "anna")
    late = sold("late", EventType.LICENSE_CANCELLED)._replace(time=NOON - timedelta(days=4))
    written.commit(late, sold("on time", EventType.LICENSE_CANCELLED))
    written.commit(amended(DAY - timedelta(days=3), 1000, 900), amended(DAY - timedelta(days=3), 900, 799))
    written.commit(amended(DAY - timedelta(days=4), 1000, 900), amended(DAY - timedelta(days=4), 900, 1000))
    written.commit(closed(DAY))
    dispatcher.wake()
    wait_for(lambda: bool(inbox.messages))

    (message,) = inbox.messages
    assert message.splitlines() == [
        "✏️ Rettifica del 22 novembre: MRR € 10,00 → € 7,99",
        "Motivo: 😞 Licenza cancellata",
        "",
        "📅 Mercoledì 25 novembre",
        "MRR: € 15,98 (+€ 7,99)",
        "🎉 Nuovo cliente: TechCorp",
        "💰 Pagamento ricevuto: € 7,99",
    ]


def test_the_first_own_day_is_not_compared_with_one_that_the_dashboard_counted(
    term: Term, database: Database, inbox: Inbox, written: Outbox
) -> None:
    store_row(database, DAY - timedelta(days=1), 7.99)
    store_row(database, DAY, 15.98, "🎉 Nuovo cliente: TechCorp", active_licenses=2)
    dispatcher = started(term(anna=person(inbox, now=[])), database, "anna")
    written.commit(closed(DAY))
    dispatcher.wake()
    wait_for(lambda: bool(inbox.messages))

    assert inbox.messages[0].splitlines()[:3] == ["📅 Mercoledì 25 novembre", "MRR: € 15,98", "Licenze attive: 2"]


@pytest.mark.parametrize(
    ("causes", "is_interruption"),
    [
        (["history_lost"], True),
        (["upgrade", "history_lost"], True),
        (["upgrade"], False),
        (["first_start", "upgrade"], False),
    ],
)
def test_the_message_of_the_morning_names_an_interruption_but_no_upgrade(
    term: Term, database: Database, inbox: Inbox, written: Outbox, causes: list[str], is_interruption: bool
) -> None:
    began = datetime(2026, 11, 25, 11, tzinfo=UTC)
    times = {"since": began, "until": began + timedelta(minutes=12), "closed_at": NOON, "opened_at": began}
    database["analytics_gaps"].insert_one({"cause": causes[0], "further_causes": causes[1:], **times})
    store_row(database, DAY, 7.99)
    dispatcher = started(term(anna=person(inbox, now=[])), database, "anna")
    written.commit(closed(DAY))
    dispatcher.wake()
    wait_for(lambda: bool(inbox.messages))

    assert ("interruzione di 12 minuti" in inbox.messages[0]) is is_interruption


def test_a_message_that_fails_is_sent_later_with_everything_that_came_since(
    term: Term, database: Database, inbox: Inbox, written: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daemon.delivery import schedule

    monkeypatch.setattr(schedule, "DELAYS", (timedelta(seconds=1),))
    inbox.answers = [500]
    dispatcher = started(term(anna=person(inbox)), database, "anna")
    written.commit(sold("a", EventType.LICENSE_CANCELLED))
    dispatcher.wake()
    wait_for(lambda: state_of(database, "anna").target.attempts == 1)
    written.commit(sold("b", EventType.LICENSE_CANCELLED))
    wait_for(lambda: bool(inbox.messages))

    assert len(inbox.messages[0].splitlines()) == 2


def test_an_interruption_is_sent_after_a_quarter_of_an_hour_and_its_end_with_what_was_recovered(
    term: Term, database: Database, inbox: Inbox, written: Outbox
) -> None:
    now = clock.now()
    gap = {"cause": "history_lost", "since": now - timedelta(minutes=16), "closed_at": None}
    known = database["analytics_gaps"].insert_one({**gap, "opened_at": now - timedelta(minutes=16)}).inserted_id
    dispatcher = started(term(anna=person(inbox)), database, "anna")
    wait_for(lambda: len(inbox.messages) == 1)
    assert inbox.messages[0].startswith("🔌 Interruzione in corso")

    database["analytics_gaps"].update_one({"_id": known}, {"$set": {"closed_at": now}})
    ended = GapFact(known, "history_lost", now - timedelta(minutes=5), now, {"licenses": 3})
    short = GapFact("other", "history_lost", now - timedelta(minutes=5), now)
    written.commit(Fact("x.closed", FactType.GAP_CLOSED, now, short), Fact("g.closed", FactType.GAP_CLOSED, now, ended))
    dispatcher.wake()
    wait_for(lambda: len(inbox.messages) == 2)
    assert inbox.messages[1].count("Interruzione") == 1
    assert inbox.messages[1].endswith("recuperati 3 documenti")
