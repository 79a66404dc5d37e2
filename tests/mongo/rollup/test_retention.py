"""Retention: off by default; what goes leaves the books balanced and every row as it was."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from daemon import clock
from daemon.config.loader import load
from daemon.config.schema import Config
from daemon.diagnostics.row_audit import RowAudit
from daemon.diagnostics.verification import Verification
from daemon.errors import ConfigurationError
from daemon.mongo.types import Database
from daemon.rollup.retention import Retention
from daemon.rollup.rollup import Rollup
from daemon.store import checkpoint as checkpoints
from daemon.store import indexes
from daemon.store.checkpoint import CHECKPOINT_ID
from daemon.store.ledger import reader as ledger
from daemon.store.ledger import retention as ledger_retention
from rules import business_days
from rules.rows import periods
from tests import shop
from tests.oracle import ledger_sums, totals
from tests.shop_history import once

DAYS = 500
START = (clock.now() - timedelta(days=DAYS)).replace(hour=12)


def story(db: Database, config: Config, *, told: bool = False) -> Rollup:
    """A shop of which the daemon told some movements and events every few days, with a row for each day and month.

    The dates are moved into the past in the database: movements, events, and the time the checkpoint stands at.
    """
    indexes.create(db)
    once(db, f"story {told}", lambda: _live(db, config, told))
    return Rollup(db, config)


def _live(db: Database, config: Config, told: bool) -> None:
    plans, chance = shop.plans(db), Random(7)
    with shop.running(config):
        owned = []
        for n in range(60):
            owner = shop.customer(db, f"C{n}")
            owned.append(shop.license(db, owner, plans[("starter", "pro", "founders")[n % 3]]))
        for license in chance.sample(owned, 40):
            db.licenses.update_one({"_id": license}, {"$set": {"status": "cancelled"}})
        last = db.client.admin.command("hello")["$clusterTime"]["clusterTime"]

        def there() -> bool:
            checkpoint = checkpoints.load(db)
            return checkpoint is not None and checkpoint.cluster_time is not None and checkpoint.cluster_time >= last

        shop.until(there, "the daemon to be there")
    whole = db.analytics_ledger.count_documents({})
    for place, line in enumerate(db.analytics_ledger.find().sort("_id", 1)):
        at = START + timedelta(days=(DAYS - 2) * place / whole)
        day = business_days.stored(business_days.business_day(at, config.time.zone))
        db.analytics_ledger.update_one({"_id": line["_id"]}, {"$set": {"at": at, "day": day}})
        about = {"license_id": line["license_id"]} if line["license_id"] else {"customer_id": line["customer_id"]}
        db.business_events.update_many({**about, "event_date": {"$gt": at}}, {"$set": {"event_date": at}})
    nightly = Rollup(db, config)
    if told:
        nightly.close_missing(nightly.now())
    else:
        _finish(db, nightly)


def _finish(db: Database, nightly: Rollup) -> None:
    """A final row, with no numbers in it, for each day and month."""
    row = {"final": True, "revision": 0, "auto_notes": "", "notes": ""}
    made = [
        {**row, "date": business_days.stored(day), "period_type": "daily"}
        for day in nightly.missing_days(nightly.now())
    ]
    months = nightly.missing_months(nightly.now())
    made += [{**row, "date": business_days.stored(month.first), "period_type": "monthly"} for month in months]
    db.historical_analytics.insert_many(made)


def kept(db: Database, config: Config, **sections: Any) -> tuple[Rollup, int, int]:
    wanted = Config.model_validate({**config.model_dump(), "mongodb": config.mongodb, "retention": sections})
    nightly = Rollup(db, wanted)
    gone = Retention(nightly, wanted).run(lambda: None)
    return nightly, gone.events, gone.lines


@pytest.fixture
def config(mongo_uri: str, database: Database) -> Config:
    return shop.config_for(mongo_uri, database)


def rows(db: Database) -> list[dict[str, Any]]:
    return list(db.historical_analytics.find({"final": True}).sort([("date", 1), ("period_type", 1)]))


def test_nothing_goes_by_default(database: Database, config: Config) -> None:
    shop.plans(database)
    with shop.running(config):
        pass
    database.business_events.insert_one(
        {"event_date": START, "event_type": "new_customer", "metadata": {"source": "chatello-analytics"}}
    )
    before = list(database.analytics_ledger.find())
    nightly = Rollup(database, config)

    assert Retention(nightly, config).run(lambda: None) == (0, 0)
    assert list(database.analytics_ledger.find()) == before
    assert database.business_events.count_documents({}) == 1


def test_old_movements_become_a_balance_and_every_row_that_can_be_made_anew_is_what_it_was(
    database: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_retention, "LINES", 23)
    story(database, config, told=True)
    stood, sums, numbers = rows(database), ledger_sums(database), totals(database)
    lines = database.analytics_ledger.count_documents({})
    nightly, _, gone = kept(database, config, ledger_days=400)
    cut = (business_days.business_day(nightly.now(), config.time.zone) - timedelta(days=400)).replace(day=1)

    assert gone > 20
    assert database.analytics_ledger.count_documents({}) == lines - gone
    assert (ledger_sums(database), totals(database)) == (sums, numbers)
    assert Verification(database, config).numbers().mismatches == []
    ids = [line["_id"] for line in database.analytics_ledger.find({}, {"_id": 1}).sort("_id", 1)]
    assert ids == list(range(ids[0], lines + 1)), "still without a hole"
    opening = list(database.analytics_ledger.find({"reason": "retention"}))
    assert {line["day"].date() for line in opening} == {cut - timedelta(days=1)}
    by_plan = ledger.sums(database, {}).by_plan
    checkpoint = checkpoints.load(database)
    assert checkpoint is not None
    assert by_plan == checkpoint.totals.by_plan
    audit = RowAudit(nightly)
    span = audit.span(None, None)
    assert span is not None
    assert span[0] == ledger.first_day(database)
    assert span[0] > cut + timedelta(days=30)
    assert [finding for finding in audit.findings(*span) if not finding.holds] == []
    assert kept(database, config, ledger_days=400)[1:] == (0, 0), "nothing is left to do"
    assert nightly.close_missing(nightly.now()) == []
    assert rows(database) == stood


def test_a_late_fact_about_a_day_let_go_of_counts_from_then_on_and_changes_no_old_row(
    database: Database, config: Config
) -> None:
    story(database, config, told=True)
    nightly, _, _ = kept(database, config, ledger_days=400)
    stood = rows(database)
    old = {"day": business_days.stored(START.date()), "seq": 1, "moved": True}
    database.analytics_checkpoint.update_one({"_id": CHECKPOINT_ID}, {"$set": {"reopened": [old]}})
    nightly.close_missing(nightly.now())

    assert rows(database) == stood
    assert checkpoints.reopened(database) == []
    owed = database.historical_analytics.find_one({"date": business_days.stored(START.date() + timedelta(days=20))})
    assert owed is not None
    database.historical_analytics.delete_one({"_id": owed["_id"]})
    assert nightly.missing_days(nightly.now()) == [], "a row nobody can make any more is not owed"


def test_a_stop_between_two_steps_loses_nothing_and_the_next_run_goes_on(
    database: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_retention, "LINES", 11)
    story(database, config)
    sums = ledger_sums(database)

    def stop() -> None:
        raise KeyboardInterrupt

    wanted = Config.model_validate(
        {**config.model_dump(), "mongodb": config.mongodb, "retention": {"ledger_days": 400, "events_days": 400}}
    )
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            Retention(Rollup(database, wanted), wanted).run(stop)
        assert ledger_sums(database) == sums
        assert Verification(database, config).numbers().mismatches == []
    Retention(Rollup(database, wanted), wanted).run(lambda: None)

    assert Retention(Rollup(database, wanted), wanted).run(lambda: None) == (0, 0)
    assert ledger_sums(database) == sums
    assert ledger.digest(database, 10**9)["lines"] > 0


def test_old_events_of_ours_go_others_stay_and_the_notes_of_their_days_stay_too(
    database: Database, config: Config
) -> None:
    nightly = story(database, config, told=True)
    theirs = {"event_type": "support_ticket", "description": "Aiuto", "metadata": {}, "event_date": START}
    database.business_events.insert_one(theirs)
    nightly.write(START.date(), final=True)
    stood, whole = rows(database), database.business_events.count_documents({})
    nightly, gone, _ = kept(database, config, events_days=100)
    cut = business_days.business_day(nightly.now(), config.time.zone) - timedelta(days=100)

    assert gone > 50
    assert database.business_events.count_documents({}) == whole - gone
    left = {
        event["event_date"].date() >= cut or event["_id"] == theirs["_id"] for event in database.business_events.find()
    }
    assert left == {True}
    assert [finding for finding in RowAudit(nightly).findings(START.date(), cut) if not finding.holds] == []
    assert rows(database) == stood


def test_events_of_a_day_that_is_owed_its_row_stay(database: Database, config: Config) -> None:
    story(database, config)
    owed = START.date() + timedelta(days=95)
    database.historical_analytics.delete_one({"date": business_days.stored(owed), "period_type": "daily"})
    kept(database, config, events_days=100, ledger_days=400)
    oldest = database.business_events.find_one({"metadata.source": "chatello-analytics"}, sort=[("event_date", 1)])

    assert oldest is not None
    assert business_days.business_day(oldest["event_date"], config.time.zone) >= owed
    assert Rollup(database, config).missing_days(Rollup(database, config).now()) == [owed]
    opening = database.analytics_ledger.find_one({"reason": "retention"})
    assert opening is not None
    assert opening["day"].date() + timedelta(days=1) <= periods.before(owed, 2)
    assert RowAudit(Rollup(database, config)).nightly.close_missing(Rollup(database, config).now()) == [owed]


@pytest.mark.parametrize("section", [{"ledger_days": 399}, {"events_days": 29}, {"events_days": -1}])
def test_too_short_a_time_is_refused_with_what_is_wanted(section: dict[str, int]) -> None:
    name, value = next(iter(section.items()))
    with pytest.raises(ConfigurationError, match=f"retention.{name}"):
        load(None, {f"CHATELLO_RETENTION__{name.upper()}": str(value)})
