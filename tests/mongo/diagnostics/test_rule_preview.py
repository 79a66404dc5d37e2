"""What other rules would have said of past days, on the real replica set: nothing differs by the same rules."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.config.schema import Config
from daemon.demo.embedded_mongo import wait_for
from daemon.diagnostics.rule_preview import DayPreview, Preview
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from rules import business_days
from tests import shop
from tests.oracle import events
from tests.system.test_process import run_once

DAYS = 12


class Past:
    """A shop with two new customers a day, each of these days told by the daemon itself."""

    def __init__(self, uri: str, database: Database) -> None:
        self.database = database
        self.config = shop.config_for(uri, database)
        plans = shop.plans(database)
        with shop.running(self.config):
            for n in range(20):
                shop.license(database, shop.customer(database, f"C{n}"), plans["agency" if n == 15 else "starter"])
            last = shop.customer(database, "last")
            wait_for(lambda: events(database)["new_customer", last] == 1, "the last customer")
        nightly = Rollup(database, self.config)
        now, zone = nightly.now(), self.config.time.zone
        self.closed = business_days.last_closed(now, self.config.time.rollup_at, zone)
        self.first = self.closed - timedelta(days=DAYS - 1)
        self._spread(business_days.business_day(now, zone))
        self._keep_the_diary(business_days.business_day(now, zone))
        for day in business_days.between(self.first, self.closed):
            nightly.write(day, final=True)

    def _spread(self, today: date) -> None:
        """Date back what was booked and told: two customers a day, the newest on the last day that is closed."""
        customers = [
            movement["_id"] for movement in self.database.analytics_ledger.find({"customers": 1}).sort("_id", 1)
        ]
        for movement in list(self.database.analytics_ledger.find().sort("_id", 1)):
            place = sum(1 for seq in customers if seq <= movement["_id"])
            day = self.first + timedelta(days=min(DAYS - 1, place // 2))
            back = business_days.stored(today) - business_days.stored(day)
            moved = {"day": business_days.stored(day), "at": movement["at"] - back}
            self.database.analytics_ledger.update_one({"_id": movement["_id"]}, {"$set": moved})
            told = {"event_date": {"$gte": movement["at"], "$lte": movement["at"]}}
            dated = {"$set": {"event_date": movement["at"] - back, "created_at": movement["at"] - back}}
            self.database.business_events.update_many(told, dated)

    def _keep_the_diary(self, today: date) -> None:
        memory = {"opened": self.first - business_days.ONE_DAY, "closed": self.first - business_days.ONE_DAY}
        kept = {name: day.isoformat() for name, day in memory.items()}
        self.database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"memory.diary": kept}})
        with shop.running(self.config) as run:
            assert run.leader is not None
            run.leader.jobs.put(run.leader.diary.emit)
            path = "memory.diary.opened"
            wait_for(lambda: self.database.analytics_checkpoint.count_documents({path: str(today)}) == 1, "the diary")

    def preview(self, config: Config | None = None) -> list[DayPreview]:
        before = self.database.command("dbHash")["md5"]
        found = list(Preview(self.database, config or self.config).of(self.first, self.closed))
        assert self.database.command("dbHash")["md5"] == before, "a preview writes nothing"
        return found

    def with_rules(self, **rules: Any) -> Config:
        return Config.model_validate({**self.config.model_dump(), "mongodb": self.config.mongodb, "rules": rules})


@pytest.fixture
def past(mongo_uri: str, database: Database) -> Past:
    return Past(mongo_uri, database)


def texts(found: list[DayPreview], which: str) -> list[Any]:
    return [text for day in found for text in getattr(day, which)]


def test_the_rules_in_force_would_have_said_what_they_said(past: Past) -> None:
    found = past.preview()

    assert [day.day for day in found] == list(business_days.between(past.first, past.closed))
    assert [day for day in found if day.differs] == []
    said = " • ".join(day.note for day in found)
    assert "Raggiunti 10 clienti totali!" in said
    assert "clienti in 7 giorni!" in said


def test_other_thresholds_are_told_with_what_they_add_and_take_away(past: Past) -> None:
    found = past.preview(past.with_rules(thresholds={"customers": [4, 1000], "growth_customers": 1000}))

    assert texts(found, "added") == ["Raggiunti 4 clienti totali!"]
    removed = texts(found, "removed")
    assert removed[0] == "Raggiunti 10 clienti totali!"
    assert {text.split(" ", 1)[1] for text in removed[1:]} == {"clienti in 7 giorni!"}
    [day] = [day for day in found if day.added]
    assert "Raggiunti 4 clienti totali!" in day.note
    assert day.stored is not None and "Raggiunti 4" not in day.stored


def test_a_range_begins_with_the_peaks_that_stood_before_it(past: Past) -> None:
    later = list(Preview(past.database, past.config).of(past.first + timedelta(days=8), past.closed))
    with_a_level_passed = past.with_rules(thresholds={"customers": [4, 1000]})
    others = list(Preview(past.database, with_a_level_passed).of(past.first + timedelta(days=8), past.closed))

    assert [day for day in later if day.differs] == []
    assert "Raggiunti 4 clienti totali!" not in texts(others, "added")


def test_other_words_are_told_as_a_change_of_words(past: Past) -> None:
    found = past.preview(past.with_rules(texts={"new_customer": "Benvenuto {name}!"}))

    assert texts(found, "added") == texts(found, "removed") == []
    assert texts(found, "changed")[0] == ("Nuovo cliente: C0", "Benvenuto C0!")
    assert any("Benvenuto" in day.note for day in found)


def test_a_rule_of_ones_own_is_tried_on_the_documents_of_those_days(past: Past) -> None:
    past.database.tickets.insert_one({"subject": "Non parte"})
    rule = {"name": "t", "collection": "tickets", "event_type": "support_ticket", "text": "Ticket: {subject}"}
    today = past.closed + timedelta(days=3)
    found = list(Preview(past.database, past.with_rules(custom=[rule])).of(past.first, today))

    assert "Ticket: Non parte" in texts(found, "added")


def test_a_day_whose_events_were_deleted_keeps_its_note(past: Past) -> None:
    notes = [day.stored for day in past.preview()]
    past.database.business_events.delete_many({})
    found = past.preview(past.with_rules(thresholds={"customers": [4]}))

    assert [day.note for day in found if day.gone] == [note for note in notes if note]
    assert not any(day.differs for day in found if day.gone)


def test_the_command_line_shows_the_difference(mongo_uri: str, past: Past, tmp_path: Path) -> None:
    file = tmp_path / "changed.toml"
    file.write_text("[rules.thresholds]\ncustomers = [4, 1000]\n")
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": past.database.name}
    arguments = ("rules", "preview", "--config", str(file), "--from", str(past.first))
    status, output = run_once(*arguments, **environment)

    assert status == 0, output
    assert "  + Raggiunti 4 clienti totali!\n" in output
    assert "  - Raggiunti 10 clienti totali!\n" in output
    assert f"{past.first} to {past.closed}: {DAYS} days in the ledger, 2 of them would differ" in output
    status, output = run_once("rules", "preview", "--from", "2999-01-01", **environment)
    assert (status, "is not over yet" in output) == (2, True)
