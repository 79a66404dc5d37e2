"""Preview of changed rules on a real replica set; the active rules give no difference."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.demo.embedded_mongo import wait_for
from daemon.diagnostics.rule_preview import DayPreview, RulePreview
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from rules import business_days
from tests import shop
from tests.oracle import events
from tests.system.test_process import run_once

DAYS = 12


class Past:
    """A shop with two new customers a day, whose days were processed by the daemon itself."""

    def __init__(self, uri: str, database: Database) -> None:
        self.database = database
        self.config = shop.config_for(uri, database)
        plans = shop.plans(database)
        with shop.running(self.config):
            for n in range(20):
                shop.license(database, shop.customer(database, f"C{n}"), plans["agency" if n == 15 else "starter"])
            last = shop.customer(database, "last")
            wait_for(lambda: events(database)["new_customer", last] == 1, "the last customer")
        rollup = Rollup(database, ActiveConfig(self.config))
        now, zone = rollup.now(), self.config.time.zone
        self.closed = business_days.last_closed(now, self.config.time.rollup_at, zone)
        self.first = self.closed - timedelta(days=DAYS - 1)
        self._spread(business_days.business_day(now, zone))
        self._emit_daily_events(business_days.business_day(now, zone))
        for day in business_days.between(self.first, self.closed):
            rollup.write(day, final=True)

    def _spread(self, today: date) -> None:
        """Move movements and events back: two customers a day, the newest on the last closed day."""
        customers = [
            movement["_id"] for movement in self.database.analytics_ledger.find({"customers": 1}).sort("_id", 1)
        ]
        for movement in list(self.database.analytics_ledger.find().sort("_id", 1)):
            position = sum(1 for seq in customers if seq <= movement["_id"])
            day = self.first + timedelta(days=min(DAYS - 1, position // 2))
            back = business_days.stored(today) - business_days.stored(day)
            moved = {"day": business_days.stored(day), "at": movement["at"] - back}
            self.database.analytics_ledger.update_one({"_id": movement["_id"]}, {"$set": moved})
            at_same_time = {"event_date": {"$gte": movement["at"], "$lte": movement["at"]}}
            dated = {"$set": {"event_date": movement["at"] - back, "created_at": movement["at"] - back}}
            self.database.business_events.update_many(at_same_time, dated)

    def _emit_daily_events(self, today: date) -> None:
        memory = {"opened": self.first - business_days.ONE_DAY, "closed": self.first - business_days.ONE_DAY}
        stored = {name: day.isoformat() for name, day in memory.items()}
        self.database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"memory.diary": stored}})
        with shop.running(self.config) as run:
            assert run.leader is not None
            run.leader.jobs.put(run.leader.daily_events.emit)
            path = "memory.diary.opened"
            wait_for(
                lambda: self.database.analytics_checkpoint.count_documents({path: str(today)}) == 1, "the daily events"
            )

    def preview(self, config: Config | None = None) -> list[DayPreview]:
        before = self.database.command("dbHash")["md5"]
        found = list(RulePreview(self.database, config or self.config).days(self.first, self.closed))
        assert self.database.command("dbHash")["md5"] == before, "a preview writes nothing"
        return found

    def with_rules(self, **rules: Any) -> Config:
        return Config.model_validate({**self.config.model_dump(), "mongodb": self.config.mongodb, "rules": rules})


@pytest.fixture
def past(mongo_uri: str, database: Database) -> Past:
    return Past(mongo_uri, database)


def texts(found: list[DayPreview], which: str) -> list[Any]:
    return [text for day in found for text in getattr(day, which)]


def test_the_active_rules_give_the_stored_notes_and_events(past: Past) -> None:
    found = past.preview()

    assert [day.day for day in found] == list(business_days.between(past.first, past.closed))
    assert [day for day in found if day.differs] == []
    notes = " • ".join(day.note for day in found)
    assert "Raggiunti 10 clienti totali!" in notes
    assert "clienti in 7 giorni!" in notes


def test_other_thresholds_show_the_events_they_add_and_remove(past: Past) -> None:
    found = past.preview(past.with_rules(thresholds={"customers": [4, 1000], "growth_customers": 1000}))

    assert texts(found, "added") == ["Raggiunti 4 clienti totali!"]
    removed = texts(found, "removed")
    assert removed[0] == "Raggiunti 10 clienti totali!"
    assert {text.split(" ", 1)[1] for text in removed[1:]} == {"clienti in 7 giorni!"}
    [day] = [day for day in found if day.added]
    assert "Raggiunti 4 clienti totali!" in day.note
    assert day.stored is not None and "Raggiunti 4" not in day.stored


def test_a_range_begins_with_the_earlier_peaks(past: Past) -> None:
    later = list(RulePreview(past.database, past.config).days(past.first + timedelta(days=8), past.closed))
    with_a_level_passed = past.with_rules(thresholds={"customers": [4, 1000]})
    with_other_rules = list(
        RulePreview(past.database, with_a_level_passed).days(past.first + timedelta(days=8), past.closed)
    )

    assert [day for day in later if day.differs] == []
    assert "Raggiunti 4 clienti totali!" not in texts(with_other_rules, "added")


def test_other_texts_are_shown_as_changed_texts(past: Past) -> None:
    found = past.preview(past.with_rules(texts={"new_customer": "Benvenuto {name}!"}))

    assert texts(found, "added") == texts(found, "removed") == []
    assert texts(found, "changed")[0] == ("Nuovo cliente: C0", "Benvenuto C0!")
    assert any("Benvenuto" in day.note for day in found)


def test_a_custom_rule_is_applied_to_the_documents_of_those_days(past: Past) -> None:
    past.database.tickets.insert_one({"subject": "Non parte"})
    rule = {"name": "t", "collection": "tickets", "event_type": "support_ticket", "text": "Ticket: {subject}"}
    today = past.closed + timedelta(days=3)
    found = list(RulePreview(past.database, past.with_rules(custom=[rule])).days(past.first, today))

    assert "Ticket: Non parte" in texts(found, "added")


def test_a_day_whose_events_were_deleted_keeps_its_note(past: Past) -> None:
    notes = [day.stored for day in past.preview()]
    past.database.business_events.delete_many({})
    found = past.preview(past.with_rules(thresholds={"customers": [4]}))

    assert [day.note for day in found if day.events_deleted] == [note for note in notes if note]
    assert not any(day.differs for day in found if day.events_deleted)


def test_the_command_line_shows_the_difference(mongo_uri: str, past: Past, tmp_path: Path) -> None:
    file = tmp_path / "changed.toml"
    file.write_text("[rules.thresholds]\ncustomers = [4, 1000]\n")
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": past.database.name}
    arguments = ("rules", "preview", "--config", str(file), "--from", str(past.first))
    status, output = run_once(*arguments, **environment)

    assert status == 0, output
    assert "  + Raggiunti 4 clienti totali!\n" in output
    assert "  - Raggiunti 10 clienti totali!\n" in output
    assert f"{past.first} to {past.closed}: {DAYS} days in the ledger, 2 would differ" in output
    status, output = run_once("rules", "preview", "--from", "2999-01-01", **environment)
    assert (status, "is not closed yet" in output) == (2, True)
