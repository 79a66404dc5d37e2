"""Erasure of a customer: the name is redacted in all own texts and does not return; the numbers are kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.diagnostics.verification import Verification
from daemon.errors import ErasureListChanged
from daemon.mongo.types import Database
from daemon.privacy.forget import ForgetReport, ForgetRequest
from daemon.privacy.identification import CustomerNotFound
from daemon.privacy.log_files import mask_files
from daemon.rollup.rollup import Rollup
from daemon.store import forgotten, gaps, indexes
from daemon.store.checkpoint import load
from daemon.store.commit import Committer
from daemon.store.lease import Leaser
from rules import business_days
from rules.model.changes import Plan
from rules.privacy import erasure
from rules.settings.catalog import FORGOTTEN
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events, totals
from tests.system.test_process import run_once

NAME, MAIL = "Mario Rossi", "Mario.Rossi@example.it"
SOURCE_COLLECTIONS = ("customers", "licenses", "plans")


def holders(db: Database, *texts: str) -> list[str]:
    """Return collection and id of all documents outside the source that contain one of the texts."""
    wanted = [text.casefold() for text in texts]
    return [
        f"{name} {document['_id']}"
        for name in sorted(db.list_collection_names())
        if name not in SOURCE_COLLECTIONS
        for document in db[name].find()
        if any(text in json.dumps(document, default=str, ensure_ascii=False).casefold() for text in wanted)
    ]


def forget(
    db: Database, config: Any, identifier: Any, *, include_external: bool = False, also: tuple[str, ...] = ()
) -> ForgetReport:
    request = ForgetRequest(db, config, include_external=include_external)
    return request.execute(request.find_subject(str(identifier), also), clock.now(), lambda _: None)


def reconciling(db: Database) -> bool:
    checkpoint = load(db)
    return checkpoint is None or checkpoint.reconciling is not None


def descriptions(db: Database, customer_id: Any) -> set[str]:
    return {event["description"] for event in db.business_events.find({"customer_id": customer_id})}


def write_row(db: Database, config: Any) -> dict[str, Any]:
    rollup = Rollup(db, ActiveConfig(config))
    return rollup.write_today(rollup.now())


@pytest.fixture
def config(mongo_uri: str, database: Database) -> Any:
    return shop.config_for(mongo_uri, database)


def test_the_name_is_redacted_while_the_daemon_runs_and_the_numbers_are_kept(database: Database, config: Any) -> None:
    plans = shop.plans(database)
    with shop.running(config):
        mario = shop.customer(database, NAME, email=MAIL, company="Rossi Srl")
        anna = shop.customer(database, "Anna Bianchi", email="anna@example.it")
        license = shop.license(database, mario, plans["pro"])
        held = shop.license(database, mario, plans["pro"], status="frozen")
        wait_for(lambda: events(database)["payment_completed", license] == 1, "the payment")
        wait_for(lambda: database.analytics_dead_letters.count_documents({}) == 1, "the dead letter")
        gaps.open_gap(database, "requested", f"requested for {MAIL}", None, clock.now())
        wait_for(lambda: database.analytics_gaps.count_documents({"closed_at": None}) == 0, "the gap")
        wait_for(lambda: not reconciling(database), "the reconciliation")
        database.analytics_dead_letters.update_one({}, {"$set": {"change.fields.owner": [{"mail": MAIL}]}})
        write_row(database, config)
        first = {"first_reported": {"auto_notes": f"🎉 Nuovo cliente: {NAME}", "mrr": 1.0}}
        database.historical_analytics.update_one({}, {"$set": first})
        before = (totals(database), list(database.analytics_ledger.find().sort("_id", 1)))
        assert len({one.split()[0] for one in holders(database, NAME, MAIL)}) == 6
        report = forget(database, config, MAIL)

        assert holders(database, NAME, MAIL, "Rossi Srl") == []
        assert report.mismatches == []
        assert descriptions(database, mario) == {
            f"Nuovo cliente: {FORGOTTEN}",
            f"Nuova licenza Pro: {FORGOTTEN}",
            f"Pagamento ricevuto: €7.99 da {FORGOTTEN}",
        }
        assert "Nuovo cliente: Anna Bianchi" in descriptions(database, anna)
        row = database.historical_analytics.find_one({"period_type": "daily"})
        assert row is not None
        assert row["notes"] == row["auto_notes"]
        assert row["auto_notes"].startswith(f"🎉 Nuovo cliente: {FORGOTTEN} • 🎉 Nuovo cliente: Anna Bianchi")
        assert (totals(database), list(database.analytics_ledger.find().sort("_id", 1))) == before
        database.licenses.update_one({"_id": held}, {"$set": {"status": "active"}})
        wait_for(lambda: events(database)["license_created", held] == 1, "the daemon to continue")
    assert_ledger_consistent(database)
    assert_each_event_once(database)


def test_updates_rebuilds_reconciliation_and_restarts_do_not_restore_the_name(database: Database, config: Any) -> None:
    plans = shop.plans(database)
    with shop.running(config):
        mario = shop.customer(database, NAME, email=MAIL)
        wait_for(lambda: events(database)["new_customer", mario] == 1, "the customer")
        row = write_row(database, config)
        assert NAME in row["auto_notes"]
        forget(database, config, mario)
        database.customers.update_one({"_id": mario}, {"$set": {"name": "Mario Rossi jr", "company": "Rossi Srl"}})
        license = shop.license(database, mario, plans["pro"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the license")
        gaps.open_gap(database, "requested", "again", None, clock.now())
        wait_for(lambda: database.analytics_gaps.count_documents({"closed_at": None}) == 0, "the reconciliation")
        wait_for(lambda: not reconciling(database), "the reconciliation")
        assert Verification(database, config).verify_documents() == []
    database.customers.replace_one({"_id": mario}, {"name": NAME, "email": MAIL})
    database.licenses.update_one({"_id": license}, {"$set": {"status": "suspended"}})
    with shop.running(config):
        wait_for(lambda: events(database)["license_suspended", license] == 1, "the daemon after the restart")
        write_row(database, config)
        assert holders(database, NAME, MAIL, "Rossi") == []
        again = shop.customer(database, NAME, email="mario@example.it")
        wait_for(lambda: events(database)["new_customer", again] == 1, "the new customer")
        row = write_row(database, config)

    assert descriptions(database, again) == {f"Nuovo cliente: {NAME}"}
    assert all(FORGOTTEN in text for text in descriptions(database, mario))
    assert row["auto_notes"].startswith(f"🎉 Nuovo cliente: {FORGOTTEN} • 🎉 Nuovo cliente: {NAME}")
    assert_ledger_consistent(database)


def external_event(db: Database, customer_id: Any, **more: Any) -> ObjectId:
    event = {"event_type": "support_ticket", "event_date": clock.now(), "customer_id": customer_id, "metadata": {}}
    event_id: ObjectId = db.business_events.insert_one(
        {**event, "description": f"{NAME} chiede aiuto ({MAIL})", "processed": False, **more}
    ).inserted_id
    return event_id


def test_of_a_commented_note_the_generated_part_loses_the_name_and_the_comment_stays(
    database: Database, config: Any
) -> None:
    shop.plans(database)
    with shop.running(config):
        mario = shop.customer(database, NAME, email=MAIL)
        wait_for(lambda: events(database)["new_customer", mario] == 1, "the customer")
        row = write_row(database, config)
        database.historical_analytics.update_one({}, {"$set": {"notes": f"{row['auto_notes']} | Ferie"}})
        report = forget(database, config, mario)

    [stored] = database.historical_analytics.find()
    assert stored["notes"] == f"{stored['auto_notes']} | Ferie" == f"🎉 Nuovo cliente: {FORGOTTEN} | Ferie"
    assert report.remaining == {}


def test_external_texts_are_reported_and_redacted_only_on_request(database: Database, config: Any) -> None:
    shop.plans(database)
    with shop.running(config):
        mario = shop.customer(database, NAME, email=MAIL)
        wait_for(lambda: events(database)["new_customer", mario] == 1, "the customer")
        by_id = external_event(database, str(mario))
        by_text = external_event(database, None, metadata={"deep": [{"er": f"da {NAME}"}]})
        row = write_row(database, config)
        note = f"Ho parlato con {NAME}"
        database.historical_analytics.update_one({}, {"$set": {"notes": note}})
        report = forget(database, config, mario)
        assert report.remaining == {"events of the dashboard": 2, "notes that a person wrote": 1}
        assert NAME in database.business_events.find_one({"_id": by_id})["description"]  # type: ignore[index]
        row = write_row(database, config)
        assert row["notes"] == note
        entries = {entry["customer_id"]: entry["description"] for entry in row["auto_events"]}
        assert FORGOTTEN in entries[str(mario)], "a rebuilt row does not contain the name of a customer known by id"
        report = forget(database, config, mario, include_external=True)
        row = write_row(database, config)

    assert report.remaining == {}
    assert holders(database, NAME, MAIL) == []
    assert row["notes"] == f"Ho parlato con {FORGOTTEN}"
    changed = database.business_events.find_one({"_id": by_text})
    assert changed is not None
    assert changed["description"] == f"{FORGOTTEN} chiede aiuto ({FORGOTTEN})"
    assert changed["metadata"] == {"deep": [{"er": f"da {FORGOTTEN}"}]}


def test_repeating_changes_nothing_and_the_audit_contains_no_personal_data(database: Database, config: Any) -> None:
    shop.plans(database)
    with shop.running(config):
        mario = shop.customer(database, NAME, email=MAIL)
        wait_for(lambda: events(database)["new_customer", mario] == 1, "the customer")
        write_row(database, config)
        first = forget(database, config, MAIL.upper())
        again = forget(database, config, mario)
    database.customers.delete_one({"_id": mario})
    deleted = forget(database, config, mario)

    assert first.changed == {
        "mirror": 1,
        "business_events": 1,
        "historical_analytics": 1,
        "analytics_rows": 1,
    }
    assert (again.changed, deleted.changed) == ({}, {})
    audit = list(database.analytics_audit.find())
    assert [entry["changed"] for entry in audit] == [first.changed, {}, {}]
    assert len({entry["subject"] for entry in audit}) == 1
    assert str(mario) not in json.dumps(audit, default=str)
    assert [entry["proof"] for entry in audit] == ["holds"] * 3
    with pytest.raises(CustomerNotFound):
        forget(database, config, ObjectId())


@pytest.mark.parametrize("steps", range(1, 12, 2))
def test_an_interrupted_erasure_is_completed_by_repeating_it(database: Database, config: Any, steps: int) -> None:
    shop.plans(database)
    with shop.running(config):
        mario = shop.customer(database, NAME, email=MAIL)
        external_event(database, mario, metadata={"source": "api"})
        external_event(database, None, metadata={"source": "command_line"})
        wait_for(lambda: events(database)["new_customer", mario] == 1, "the customer")
        write_row(database, config)
        request = ForgetRequest(database, config)
        left = iter(range(steps))

        def stop(_: int) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt

        try:
            request.execute(request.find_subject(str(mario)), clock.now(), stop)
        except KeyboardInterrupt:
            database.customers.delete_one({"_id": mario})
            forget(database, config, mario, also=(MAIL,))

    assert holders(database, NAME, MAIL) == []


def test_a_commit_decided_before_the_erasure_is_rejected(mongo_uri: str, database: Database, config: Any) -> None:
    shop.plans(database)
    mario = shop.customer(database, NAME)
    with shop.running(config):
        pass
    leaser = Leaser(database, "test", 30)
    with database.client.start_session() as session:
        lease = leaser.acquire(session)
        assert lease is not None
        checkpoint = load(database)
        assert checkpoint is not None
        committer = Committer(database, lease, config.settings(), 10, forgotten.count(database))
        committer.advance(checkpoint)
        forget(database, config, mario)
        with pytest.raises(ErasureListChanged):
            committer.advance(checkpoint)
        Committer(database, lease, config.settings(), 10, forgotten.count(database)).advance(checkpoint)


def test_a_row_computed_before_the_erasure_is_stored_without_the_name(database: Database, config: Any) -> None:
    shop.plans(database)
    with shop.running(config):
        mario = shop.customer(database, NAME)
        wait_for(lambda: events(database)["new_customer", mario] == 1, "the customer")
        rollup = Rollup(database, ActiveConfig(config))
        today = business_days.business_day(rollup.now(), config.time.zone)
        row = rollup.row(today)
        assert NAME in row["auto_notes"]
        forget(database, config, mario)
        from rules.rows import periods

        rollup.store(row, periods.day(today), final=False)

    assert holders(database, NAME) == []


PRO = Plan(1, "pro", "Pro", 799, 799, False)
MATCHES = [
    (NAME, f"Nuovo cliente: {NAME}", f"Nuovo cliente: {FORGOTTEN}"),
    (NAME, "mario   rossi!", f"{FORGOTTEN}!"),
    (NAME, "Mario Rossini", "Mario Rossini"),
    (NAME, "SanMario Rossi", "SanMario Rossi"),
    (NAME, "Licenza: Mario Ro… • altro", f"Licenza: {FORGOTTEN} • altro"),
    (NAME, "Mar… e altri", "Mar… e altri"),
    ("A.*(b", "da A.*(b, con Axxb", f"da {FORGOTTEN}, con Axxb"),
    ("Ada • 💰 Pagamento", "Nuovo cliente: Ada · 💰 Pagamento", f"Nuovo cliente: {FORGOTTEN}"),
    ("x" * 400, f"da {'x' * 59}…", f"da {FORGOTTEN}"),
    (MAIL, "scrive mario.rossi@EXAMPLE.it.", f"scrive {FORGOTTEN}."),
    ("Pro", "Nuova licenza Pro: Pro", "Nuova licenza Pro: Pro"),
    ("Li", "Li e altri", "Li e altri"),
    ("Clienti", "12 nuovi clienti", "12 nuovi clienti"),
    ("Perù Caffè", "Caffè; Perù\u00a0Caffè", f"Caffè; {FORGOTTEN}"),
    ("", "niente", "niente"),
    (FORGOTTEN, f"Nuovo cliente: {FORGOTTEN}", f"Nuovo cliente: {FORGOTTEN}"),
]


@pytest.mark.parametrize(("name", "text", "expected"), MATCHES)
def test_a_name_is_found_complete_and_truncated_but_not_inside_another_word(
    name: str, text: str, expected: str
) -> None:
    patterns = erasure.name_patterns([name], [PRO])

    assert patterns.redact(text) == expected
    assert patterns.matches({"deep": [text]}) == (text != expected and FORGOTTEN not in text)


def test_a_name_that_is_a_catalog_word_is_redacted_only_with_the_customers_id(database: Database, config: Any) -> None:
    plans = shop.plans(database)
    with shop.running(config):
        pro = shop.customer(database, "Pro")
        other = shop.customer(database, "Anna")
        license = shop.license(database, pro, plans["pro"])
        shop.license(database, other, plans["pro"])
        wait_for(lambda: database.business_events.count_documents({}) == 6, "the events")
        write_row(database, config)
        forget(database, config, pro)
        row = database.historical_analytics.find_one({})

    assert descriptions(database, other) >= {"Nuova licenza Pro: Anna"}
    assert f"Nuova licenza Pro: {FORGOTTEN}" in descriptions(database, pro)
    assert row is not None
    assert {e["description"] for e in row["auto_events"] if e["customer_id"] == str(pro)} == descriptions(database, pro)
    assert f"Nuovo cliente: {FORGOTTEN}" in row["auto_notes"]
    assert events(database)["license_created", license] == 1


def test_another_customer_of_the_same_name_keeps_it(database: Database, config: Any) -> None:
    shop.plans(database)
    with shop.running(config):
        mario, other = (
            shop.customer(database, NAME, email=MAIL),
            shop.customer(database, NAME, email="other@example.it"),
        )
        wait_for(lambda: database.business_events.count_documents({}) == 2, "both customers")
        write_row(database, config)
        forget(database, config, mario)
        row = database.historical_analytics.find_one({})
        rebuilt = Rollup(database, ActiveConfig(config)).row(business_days.business_day(clock.now(), config.time.zone))

    assert (descriptions(database, mario), descriptions(database, other)) == (
        {f"Nuovo cliente: {FORGOTTEN}"},
        {f"Nuovo cliente: {NAME}"},
    )
    assert row is not None
    assert row["auto_notes"] == rebuilt["auto_notes"] == f"🎉 Nuovo cliente: {FORGOTTEN} • 🎉 Nuovo cliente: {NAME}"
    assert row["auto_events"] == rebuilt["auto_events"]


def test_a_former_name_is_redacted_in_rows_whose_events_were_deleted(database: Database, config: Any) -> None:
    """The old cron deletes events after ninety days: only rows still contain the customer's former name."""
    plans = shop.plans(database)
    with shop.running(config):
        mario = shop.customer(database, NAME, email=MAIL)
        anna = shop.customer(database, "Anna Bianchi")
        wait_for(lambda: events(database)["new_customer", anna] == 1, "the customers")
        database.customers.update_one({"_id": mario}, {"$set": {"name": "Bar Sport"}})
        license = shop.license(database, mario, plans["pro"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the license")
        write_row(database, config)
        database.business_events.delete_many({})
        database.customers.delete_one({"_id": mario})
        wait_for(lambda: totals(database)["customers"] == 1, "the customer to be deleted")
        database.analytics_mirror.delete_one({"_id": {"k": "customers", "id": mario}})
        report = forget(database, config, mario)
        row = database.historical_analytics.find_one({})
        again = forget(database, config, mario)

    assert holders(database, NAME, "Bar Sport") == []
    assert report.mismatches == []
    assert again.changed == {}
    assert row is not None
    assert row["auto_notes"].startswith(
        f"🎉 Nuovo cliente: {FORGOTTEN} • 🎉 Nuovo cliente: Anna Bianchi • 🎫 Nuova licenza"
    )
    entries = [entry["description"] for entry in row["auto_events"] if entry["customer_id"] == str(mario)]
    assert f"Nuova licenza Pro: {FORGOTTEN}" in entries


@pytest.mark.parametrize("events_exist", [True, False])
def test_a_longer_name_that_contains_the_name_is_kept(database: Database, config: Any, events_exist: bool) -> None:
    longer = f"{NAME} & Figli"
    with shop.running(config):
        mario = shop.customer(database, NAME)
        other = shop.customer(database, longer)
        wait_for(lambda: events(database)["new_customer", other] == 1, "the customers")
        row = write_row(database, config)
        first = {"first_reported": {"auto_notes": row["auto_notes"], "mrr": 1.0}}
        database.historical_analytics.update_one({}, {"$set": first})
        if not events_exist:
            database.business_events.delete_many({})
        forget(database, config, mario)
        forget(database, config, mario)

    expected = f"🎉 Nuovo cliente: {FORGOTTEN} • 🎉 Nuovo cliente: {longer}"
    cleaned = database.historical_analytics.find_one({})
    assert cleaned is not None
    assert (cleaned["auto_notes"], cleaned["first_reported"]["auto_notes"]) == (expected, expected)
    assert [entry["description"] for entry in cleaned["auto_events"]] == [
        f"Nuovo cliente: {FORGOTTEN}",
        f"Nuovo cliente: {longer}",
    ]


# -- the log file and the command ---------------------------------------------------------------------------


def lines() -> Iterator[str]:
    yield json.dumps({"event": "event.recorded", "description": f"Nuovo cliente: {NAME}", "customer_id": "7"})
    yield json.dumps({"event": "row.amended", "changes": [{"after": "Perù Caffè • Mario Ro… • altro"}]})
    yield json.dumps({"event": "batch.committed", "changes": 2})
    yield json.dumps({"event": "event.recorded", "description": "Nuova licenza Pro: Pro", "customer_id": "7"})
    yield f"not JSON, {NAME}"


def test_the_log_is_masked_in_place_while_the_daemon_appends_to_it(tmp_path: Path) -> None:
    file, old = tmp_path / "daemon.log", tmp_path / "daemon.log.1"
    file.write_text("\n".join(lines()) + "\n")
    old.write_text("\n".join(lines()))
    with file.open("a") as daemon:
        masked = mask_files(file, erasure.name_patterns([NAME, "Perù Caffè", "Pro"], [PRO]), ("7",))
        daemon.write(json.dumps({"event": "later"}) + "\n")
    first, second, third, fourth, _, later = file.read_text().splitlines()

    assert masked == 8
    assert json.loads(first)["description"] == "Nuovo cliente: ***********"
    assert json.loads(second)["changes"][0]["after"].endswith(" • altro")
    assert (NAME not in first, "Caff" in second, "Mario" in second) == (True, False, False)
    assert json.loads(third) == {"event": "batch.committed", "changes": 2}
    assert json.loads(fourth)["description"] == "Nuova licenza ***: ***", "a line about the customer"
    assert json.loads(later) == {"event": "later"}
    assert len(file.read_text()) == len("\n".join(lines())) + 1 + len(later) + 1
    assert "Nuovo cliente: ***********" in old.read_text()


def test_the_command_asks_for_confirmation_and_reports_its_changes(
    mongo_uri: str, database: Database, tmp_path: Path
) -> None:
    shop.plans(database)
    log = tmp_path / "daemon.log"
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name, "CHATELLO_LOGS__FILE": str(log)}
    with shop.process(mongo_uri, database.name, **environment) as daemon:
        wait_for(lambda: log.exists() and "stream.opened" in log.read_text(), "the stream")
        mario = shop.customer(database, NAME, email=MAIL)
        wait_for(lambda: events(database)["new_customer", mario] == 1, "the customer")
        wait_for(lambda: NAME in log.read_text(), "the log")
        status, output = run_once("forget", MAIL, "--dry-run", **environment)
        assert (status, "1 in business_events" in output) == (0, True), output
        assert holders(database, NAME)
        status, output = run_once("forget", MAIL, **environment)
        assert (status, "Aborted" in output) == (1, True), output
        assert holders(database, NAME)
        status, output = run_once("forget", MAIL, "--yes", **environment)
        assert status == 0, output
        assert "verified: ledger and totals are unchanged" in output
        assert "the dashboard's database still contains the customer" in output
        assert NAME not in output
        wait_for(lambda: "person.forgotten" in log.read_text(), "the daemon to reload the list", 30)
        assert daemon.stop() == 0
    status, output = run_once("forget", "unknown@example.it", **environment)

    assert holders(database, NAME, MAIL) == []
    assert NAME not in log.read_text()
    assert (status, "no customer has the id or e-mail" in output) == (1, True)


def test_the_placeholder_customer_cannot_be_forgotten(database: Database, config: Any) -> None:
    indexes.create(database)
    database.customers.insert_one({"name": "Manuale", "email": "manual@chatello.io"})
    with pytest.raises(CustomerNotFound, match="placeholder"):
        forget(database, config, "manual@chatello.io")
