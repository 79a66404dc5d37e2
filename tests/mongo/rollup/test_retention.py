"""Retention: off by default; deletion keeps the ledger balanced and all rows unchanged."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.loader import load
from daemon.config.schema import Config
from daemon.diagnostics.row_audit import RowAudit
from daemon.diagnostics.verification import Verification
from daemon.errors import ConfigurationError
from daemon.mongo.types import Database
from daemon.rollup.retention import HistoryPruner
from daemon.rollup.rollup import Rollup
from daemon.store import checkpoint as checkpoints
from daemon.store import indexes
from daemon.store.checkpoint import CHECKPOINT_ID
from daemon.store.ledger import line_groups
from daemon.store.ledger import reader as ledger
from daemon.store.ledger import retention as ledger_retention
from rules import business_days
from rules.rows import periods
from tests import shop
from tests.oracle import ledger_sums, totals
from tests.shop_history import restore_or_create

DAYS = 500
START = (clock.now() - timedelta(days=DAYS)).replace(hour=12)


def story(db: Database, config: Config, *, with_rows: bool = False) -> Rollup:
    """Create a shop with some movements and events every few days, and a final row for each day and month.

    The dates of movements and events are moved into the past in the database. `with_rows` computes the rows, else they
    have no numbers.
    """
    indexes.create(db)
    restore_or_create(db, f"story {with_rows}", lambda: _live(db, config, with_rows))
    return Rollup(db, ActiveConfig(config))


def _live(db: Database, config: Config, with_rows: bool) -> None:
    plans, chance = shop.plans(db), Random(7)
    with shop.running(config):
        owned = []
        for n in range(60):
            owner = shop.customer(db, f"C{n}")
            owned.append(shop.license(db, owner, plans[("starter", "pro", "founders")[n % 3]]))
        for license in chance.sample(owned, 40):
            db.licenses.update_one({"_id": license}, {"$set": {"status": "cancelled"}})
        last = db.client.admin.command("hello")["$clusterTime"]["clusterTime"]

        def is_reached() -> bool:
            checkpoint = checkpoints.load(db)
            return checkpoint is not None and checkpoint.cluster_time is not None and checkpoint.cluster_time >= last

        shop.until(is_reached, "the checkpoint to reach the last write")
    whole = db.analytics_ledger.count_documents({})
    for place, line in enumerate(db.analytics_ledger.find().sort("_id", 1)):
        at = START + timedelta(days=(DAYS - 2) * place / whole)
        day = business_days.stored(business_days.business_day(at, config.time.zone))
        db.analytics_ledger.update_one({"_id": line["_id"]}, {"$set": {"at": at, "day": day}})
        about = {"license_id": line["license_id"]} if line["license_id"] else {"customer_id": line["customer_id"]}
        db.business_events.update_many({**about, "event_date": {"$gt": at}}, {"$set": {"event_date": at}})
    rollup = Rollup(db, ActiveConfig(config))
    if with_rows:
        rollup.close_missing(rollup.now())
    else:
        _finish(db, rollup)


def _finish(db: Database, rollup: Rollup) -> None:
    """Write a final row without numbers for each day and month."""
    row = {"final": True, "revision": 0, "auto_notes": "", "notes": ""}
    computed = [
        {**row, "date": business_days.stored(day), "period_type": "daily"} for day in rollup.missing_days(rollup.now())
    ]
    months = rollup.missing_months(rollup.now())
    computed += [{**row, "date": business_days.stored(month.first), "period_type": "monthly"} for month in months]
    db.historical_analytics.insert_many(computed)


def pruned(db: Database, config: Config, **sections: Any) -> tuple[Rollup, int, int]:
    changed = Config.model_validate({**config.model_dump(), "mongodb": config.mongodb, "retention": sections})
    rollup = Rollup(db, ActiveConfig(changed))
    deleted = HistoryPruner(rollup, changed).run(lambda: None)
    return rollup, deleted.events, deleted.lines


@pytest.fixture
def config(mongo_uri: str, database: Database) -> Config:
    return shop.config_for(mongo_uri, database)


def rows(db: Database) -> list[dict[str, Any]]:
    return list(db.historical_analytics.find({"final": True}).sort([("date", 1), ("period_type", 1)]))


def test_nothing_is_deleted_by_default(database: Database, config: Config) -> None:
    shop.plans(database)
    with shop.running(config):
        pass
    database.business_events.insert_one(
        {"event_date": START, "event_type": "new_customer", "metadata": {"source": "chatello-analytics"}}
    )
    before = list(database.analytics_ledger.find())
    rollup = Rollup(database, ActiveConfig(config))

    assert HistoryPruner(rollup, config).run(lambda: None) == (0, 0)
    assert list(database.analytics_ledger.find()) == before
    assert database.business_events.count_documents({}) == 1


def test_old_movements_become_a_balance_and_rebuilt_rows_are_unchanged(
    database: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_retention, "STEP_SIZE", 23)
    story(database, config, with_rows=True)
    before, sums, numbers = rows(database), ledger_sums(database), totals(database)
    lines = database.analytics_ledger.count_documents({})
    rollup, _, deleted = pruned(database, config, ledger_days=400)
    cut = (business_days.business_day(rollup.now(), config.time.zone) - timedelta(days=400)).replace(day=1)

    assert deleted > 20
    assert database.analytics_ledger.count_documents({}) == lines - deleted
    assert (ledger_sums(database), totals(database)) == (sums, numbers)
    assert Verification(database, config).verify_totals().mismatches == []
    ids = [line["_id"] for line in database.analytics_ledger.find({}, {"_id": 1}).sort("_id", 1)]
    assert ids == list(range(ids[0], lines + 1)), "still without gaps"
    opening = list(database.analytics_ledger.find({"reason": "retention"}))
    assert {line["day"].date() for line in opening} == {cut - timedelta(days=1)}
    by_plan = line_groups.sums(database, {}).by_plan
    checkpoint = checkpoints.load(database)
    assert checkpoint is not None
    assert by_plan == checkpoint.totals.by_plan
    audit = RowAudit(rollup)
    span = audit.closed_range(None, None)
    assert span is not None
    assert span[0] == ledger.first_day(database)
    assert span[0] > cut + timedelta(days=30)
    assert [finding for finding in audit.findings(*span) if not finding.matches] == []
    assert pruned(database, config, ledger_days=400)[1:] == (0, 0), "nothing is left to delete"
    assert rollup.close_missing(rollup.now()) == []
    assert rows(database) == before


def test_a_late_fact_about_a_pruned_day_changes_no_old_row(database: Database, config: Config) -> None:
    story(database, config, with_rows=True)
    rollup, _, _ = pruned(database, config, ledger_days=400)
    before = rows(database)
    old = {"day": business_days.stored(START.date()), "seq": 1, "moved": True}
    database.analytics_checkpoint.update_one({"_id": CHECKPOINT_ID}, {"$set": {"reopened": [old]}})
    rollup.close_missing(rollup.now())

    assert rows(database) == before
    assert checkpoints.reopened_days(database) == []
    missing = database.historical_analytics.find_one({"date": business_days.stored(START.date() + timedelta(days=20))})
    assert missing is not None
    database.historical_analytics.delete_one({"_id": missing["_id"]})
    assert rollup.missing_days(rollup.now()) == [], "a row that can no longer be built is not missing"


def test_an_interrupted_run_loses_nothing_and_the_next_run_continues(
    database: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_retention, "STEP_SIZE", 11)
    story(database, config)
    sums = ledger_sums(database)

    def stop() -> None:
        raise KeyboardInterrupt

    changed = Config.model_validate(
        {**config.model_dump(), "mongodb": config.mongodb, "retention": {"ledger_days": 400, "events_days": 400}}
    )
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            HistoryPruner(Rollup(database, ActiveConfig(changed)), changed).run(stop)
        assert ledger_sums(database) == sums
        assert Verification(database, config).verify_totals().mismatches == []
    HistoryPruner(Rollup(database, ActiveConfig(changed)), changed).run(lambda: None)

    assert HistoryPruner(Rollup(database, ActiveConfig(changed)), changed).run(lambda: None) == (0, 0)
    assert ledger_sums(database) == sums
    assert ledger.digest(database, 10**9)["lines"] > 0


def test_old_own_events_are_deleted_and_external_events_and_notes_are_kept(database: Database, config: Config) -> None:
    rollup = story(database, config, with_rows=True)
    external = {"event_type": "support_ticket", "description": "Aiuto", "metadata": {}, "event_date": START}
    database.business_events.insert_one(external)
    rollup.write(START.date(), final=True)
    before, whole = rows(database), database.business_events.count_documents({})
    rollup, deleted, _ = pruned(database, config, events_days=100)
    cut = business_days.business_day(rollup.now(), config.time.zone) - timedelta(days=100)

    assert deleted > 50
    assert database.business_events.count_documents({}) == whole - deleted
    left = {
        event["event_date"].date() >= cut or event["_id"] == external["_id"]
        for event in database.business_events.find()
    }
    assert left == {True}
    assert [finding for finding in RowAudit(rollup).findings(START.date(), cut) if not finding.matches] == []
    assert rows(database) == before


def test_events_of_a_day_without_its_row_are_pruned(database: Database, config: Config) -> None:
    story(database, config)
    missing = START.date() + timedelta(days=95)
    database.historical_analytics.delete_one({"date": business_days.stored(missing), "period_type": "daily"})
    pruned(database, config, events_days=100, ledger_days=400)
    oldest = database.business_events.find_one({"metadata.source": "chatello-analytics"}, sort=[("event_date", 1)])

    assert oldest is not None
    assert business_days.business_day(oldest["event_date"], config.time.zone) >= missing
    assert Rollup(database, ActiveConfig(config)).missing_days(Rollup(database, ActiveConfig(config)).now()) == [
        missing
    ]
    opening = database.analytics_ledger.find_one({"reason": "retention"})
    assert opening is not None
    assert opening["day"].date() + timedelta(days=1) <= periods.months_before(missing, 2)
    assert RowAudit(Rollup(database, ActiveConfig(config))).rollup.close_missing(
        Rollup(database, ActiveConfig(config)).now()
    ) == [missing]


@pytest.mark.parametrize("section", [{"ledger_days": 399}, {"events_days": 29}, {"events_days": -1}])
def test_too_short_a_retention_is_refused_with_its_setting(section: dict[str, int]) -> None:
    name, value = next(iter(section.items()))
    with pytest.raises(ConfigurationError, match=f"retention.{name}"):
        load(None, {f"CHATELLO_RETENTION__{name.upper()}": str(value)})
