"""A year of mornings for one person: both clock changes, a suspended week, kills; each day in one message."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.config.targets import Notify
from daemon.delivery.channels.outcome import Outcome, OutcomeKind
from daemon.delivery.dispatcher import Dispatcher
from daemon.delivery.people_worker import PeopleWorker
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.store import rows
from rules import business_days
from rules.messages.model import Message
from rules.model.facts import Fact, FactType, RowFact
from rules.settings import italian
from tests.mongo.delivery.conftest import Outbox

ROME = ZoneInfo("Europe/Rome")
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
SUSPENDED = range(date(2026, 8, 10).toordinal(), date(2026, 8, 17).toordinal())
"""Days on which the machine sleeps: their rows become final on the morning after."""
KILLS = 50


class Killed(BaseException):
    """The process died at this point."""


class Year:
    """Closes days, moves the clock, and starts a new worker after each kill."""

    def __init__(self, database: Database, written: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.db, self.written, self.monkeypatch = database, written, monkeypatch
        self.chance = Random(26)
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.sent: list[tuple[datetime, Message]] = []
        self.repeated: set[str] = set()
        self.epoch = 0
        self.kill_at: str | None = None
        monkeypatch.setattr(clock, "now", lambda: self.now)
        self.worker = self.start()

    def start(self) -> PeopleWorker:
        self.epoch += 1
        person = Notify.model_validate({"secret": "json://127.0.0.1:9/", "quiet": "22:00-07:00", "silent_days": True})
        config = Config().model_copy(update={"notify": {"anna": person}})
        (worker,) = Dispatcher(self.db, ActiveConfig(config), self.epoch, Health()).workers
        assert isinstance(worker, PeopleWorker)
        self.monkeypatch.setattr(worker.notifier, "send", self._send)
        worker.open()
        return worker

    def _send(self, message: Message) -> Outcome:
        self._die("before")
        self.sent.append((self.now, message))
        if self.kill_at == "after":
            self.repeated.add(message.key)
        self._die("after")
        return Outcome(OutcomeKind.DELIVERED)

    def _die(self, place: str) -> None:
        if self.kill_at == place:
            self.kill_at = None
            raise Killed

    def close(self, day: date) -> None:
        self._store(day, "daily")
        facts = [Fact(f"day-{day}.x", FactType.DAY_CLOSED, self.now, RowFact(day, 0))]
        if (day + timedelta(days=1)).day == 1:
            self._store(day.replace(day=1), "monthly")
            facts.append(Fact(f"month-{day}.x", FactType.MONTH_CLOSED, self.now, RowFact(day.replace(day=1), 0, True)))
        for fact in facts:
            self.written.commit(fact, at=self.now)

    def _store(self, day: date, kind: str) -> None:
        mrr = float((day - FIRST).days)
        row = {"date": business_days.stored(day), "period_type": kind, "mrr": mrr, "auto_notes": ""}
        rows.write(self.db, row, final=True, now=self.now)

    def look(self, at: time, day: date) -> None:
        self.now = datetime.combine(day, at, ROME).astimezone(UTC)
        try:
            self.worker._step()
        except Killed:
            self.worker = self.start()
            self.worker._step()


def test_each_day_of_a_year_is_in_one_message_of_its_morning(
    database: Database, written: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    year, waiting = Year(database, written, monkeypatch), list[date]()
    days = [FIRST + timedelta(days=count) for count in range((LAST - FIRST).days + 1)]
    kills = {day: year.chance.choice(("before", "after")) for day in year.chance.sample(days[10:], KILLS)}
    for day in days:
        waiting.append(day)
        morning = day + timedelta(days=1)
        if morning.toordinal() in SUSPENDED:
            continue
        year.kill_at = kills.get(day)
        year.now = datetime.combine(morning, time(6), ROME).astimezone(UTC)
        for one in waiting:
            year.close(one)
        waiting.clear()
        for at in (time(6), time(6, 30), time(7), time(7, 5), time(12), time(23)):
            year.look(at, morning)

    sent = [message for _, message in year.sent]
    keys = Counter(message.key for message in sent)
    assert {key for key, count in keys.items() if count > 1} == year.repeated
    assert max(keys.values()) == 2
    assert len(keys) == len(days) - len(SUSPENDED)
    assert all(at.astimezone(ROME).time() == time(7) for at, _ in year.sent)
    assert [message.key for message in sent if message.key not in year.repeated] == sorted(
        key for key in keys if key not in year.repeated
    )
    text = "\n".join({message.key: message.text for message in sent}.values())
    titles = Counter(line for line in text.splitlines() if line.startswith("📅"))
    assert set(titles.values()) == {1}
    assert sum(title.startswith("📅 Settimana") for title in titles) == len([day for day in days if day.weekday() == 6])
    assert {f"📅 {month} 2026" for month in italian.MONTHS} <= titles.keys()
    late = next(message for at, message in year.sent if at.astimezone(ROME).date() == date(2026, 8, 17))
    assert late.text.count("📅 Settimana") == 2
    assert late.text.count("📅") == len(SUSPENDED) + 1 + 2
