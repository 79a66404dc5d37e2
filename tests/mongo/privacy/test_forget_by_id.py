"""Erasure of customers by any id, also deleted ones, and of names in every form; no false verification."""

import unicodedata
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Int64, ObjectId

from daemon import clock
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.id_text import exact_id, shown_id
from daemon.mongo.types import Database
from daemon.privacy.forget import ForgetReport, ForgetRequest
from daemon.store.reference_lookup import AmbiguousId
from rules.settings.catalog import FORGOTTEN
from tests import shop
from tests.mongo.privacy.test_forget import forget, holders, write_row
from tests.oracle import events, totals
from tests.system.test_process import run_once

NAME = "Mario Rossi"
A_UUID = Binary(UUID("12345678-1234-5678-1234-567812345678").bytes, 4)


@pytest.fixture
def config(mongo_uri: str, database: Database) -> Any:
    return shop.config_for(mongo_uri, database, reconciliation={"max_deleted": 100})


def survey(db: Database, config: Any, identifier: str, **options: Any) -> ForgetReport:
    request = ForgetRequest(db, config, **options)
    return request.survey(request.find_subject(identifier), lambda _: None)


def inserted(db: Database, name: str, customer_id: Any) -> None:
    shop.customer(db, name, _id=customer_id, email=f"{shown_id(customer_id)}@example.it")
    wait_for(lambda: db.business_events.count_documents({"customer_id": customer_id}) > 0, f"the event of {name}")


def external(db: Database, kind: str, text: str, **more: Any) -> None:
    event = {"event_type": kind, "event_date": clock.now(), "description": text, "metadata": {}, "processed": False}
    db.business_events.insert_one(event | more)


DELETED: list[Any] = [4711, Int64(2**40), -5, 2.5, A_UUID, b"\x01\xff", "4711", "cliente 1", "a\nb", ObjectId()]


@pytest.mark.parametrize("is_mirrored", [True, False])
def test_a_deleted_customer_is_forgotten_by_the_id_that_is_shown(
    database: Database, config: Any, is_mirrored: bool
) -> None:
    shop.plans(database)
    with shop.running(config):
        for number, customer_id in enumerate(DELETED):
            if customer_id != "4711":
                inserted(database, f"Persona {number} Rossi", customer_id)
        database.customers.delete_many({})
        wait_for(lambda: totals(database)["customers"] == 0, "the deletions")
        write_row(database, config)
        if not is_mirrored:
            database.analytics_mirror.delete_many({"_id.k": "customers"})
        reports = {}
        for customer_id in DELETED:
            if customer_id != "4711":
                planned = survey(database, config, shown_id(customer_id))
                reports[shown_id(customer_id)] = forget(database, config, shown_id(customer_id))
                assert planned.changed == reports[shown_id(customer_id)].changed
        write_row(database, config)

    assert holders(database, "Persona") == []
    assert all(report.is_complete for report in reports.values())


def test_the_command_ends_with_a_status_while_a_text_contains_the_name(
    mongo_uri: str, database: Database, config: Any
) -> None:
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}
    shop.plans(database)
    with shop.running(config):
        inserted(database, NAME, -4711)
        external(database, "new_customer", f"Nuovo cliente registrato: {NAME} (m@example.it)", customer_id=-4711)
        database.customers.delete_many({})
        wait_for(lambda: totals(database)["customers"] == 0, "the deletion")
        write_row(database, config)
    status, output = run_once("forget", "-4711", "--yes", **environment)
    assert holders(database, NAME)
    assert (status, "verified" in output, "1 events of the dashboard" in output) == (1, False, True), output
    status, output = run_once("forget", "-4711", "--yes", "--include-external", **environment)

    assert (status, "verified: no event" in output) == (0, True), output
    assert holders(database, NAME, "m@example.it") == []


def test_a_name_that_only_an_old_external_event_contains_is_found(database: Database, config: Any) -> None:
    with shop.running(config):
        wait_for(lambda: database.analytics_checkpoint.count_documents({}) > 0, "the start")
    external(database, "new_customer", f"Nuovo cliente registrato: {NAME} (m@example.it)", customer_id=77)
    external(database, "support_ticket", f"{NAME} chiede aiuto a m@example.it")
    left = forget(database, config, "77")
    report = forget(database, config, "77", include_external=True)

    assert left.remaining == {"events of the dashboard": 2}
    assert report.remaining == {}
    assert holders(database, NAME, "m@example.it") == []


def test_a_text_about_a_customer_whose_name_is_unknown_is_removed(database: Database, config: Any) -> None:
    with shop.running(config):
        wait_for(lambda: database.analytics_checkpoint.count_documents({}) > 0, "the start")
    external(database, "support_ticket", f"{NAME} chiede aiuto", customer_id=A_UUID)
    forget(database, config, str(UUID(bytes=bytes(A_UUID))), include_external=True)

    assert holders(database, NAME) == []


def test_of_two_customers_with_ids_of_one_text_the_exact_form_selects_one(database: Database, config: Any) -> None:
    shop.plans(database)
    with shop.running(config):
        inserted(database, "Ada Verdi", 4711)
        inserted(database, "Bruno Neri", "4711")
        write_row(database, config)
        with pytest.raises(AmbiguousId, match=r'write "4711" or {"\$numberInt": "4711"}'):
            forget(database, config, "4711")
        forget(database, config, exact_id(4711))
        assert holders(database, "Ada Verdi") == []
        row = write_row(database, config)
        assert "Bruno Neri" in row["auto_notes"]
        report = forget(database, config, exact_id("4711"))

    assert report.is_complete
    assert holders(database, "Ada Verdi", "Bruno Neri") == []


def test_a_namesake_keeps_the_name_in_external_events_too(database: Database, config: Any) -> None:
    shop.plans(database)
    with shop.running(config):
        inserted(database, NAME, 1)
        inserted(database, NAME, 2)
        for number in (1, 2):
            external(database, "new_customer", f"Nuovo cliente registrato: {NAME} (x{number}@y.it)", customer_id=number)
        write_row(database, config)
        report = forget(database, config, "1", include_external=True)

    assert report.is_complete
    assert holders(database, "x1@y.it") == []
    assert database.business_events.count_documents({"customer_id": 2, "description": {"$regex": NAME}}) >= 1


HOSTILE = [
    unicodedata.normalize("NFD", "Caffè Perù"),
    "L'Officina D'Angelo",
    'Bar "Da Ugo" & C.',
    "<script>alert('x')</script>",
    "Pizzeria 🍕 Napoli",
    "\u202eoiraM مرحبا",
    "Prima riga\nSeconda riga",
    "Ditta mario@rossi.it",
    "Acme • 💰 Pagatutto | Chiosa",
]


@pytest.fixture(params=range(len(HOSTILE)), ids=[ascii(name)[1:21] for name in HOSTILE])
def hostile(request: pytest.FixtureRequest) -> Iterator[str]:
    yield HOSTILE[request.param]


def test_no_place_contains_a_hostile_name_afterwards(database: Database, config: Any, hostile: str) -> None:
    plans = shop.plans(database)
    with shop.running(config):
        inserted(database, hostile, A_UUID)
        license = shop.license(database, A_UUID, plans["pro"])
        wait_for(lambda: events(database)["payment_completed", license] == 1, "the payment")
        composed = unicodedata.normalize("NFC", hostile).replace("'", "’")
        external(database, "media_mention", f"Intervista a {composed}.", metadata={"about": hostile})
        row = write_row(database, config)
        note = f"{row['auto_notes']} | visto {composed}"
        database.historical_analytics.update_one({}, {"$set": {"notes": note}})
        planned = survey(database, config, shown_id(A_UUID), include_external=True)
        report = forget(database, config, shown_id(A_UUID), include_external=True)
        row = write_row(database, config)

    words = [word for word in hostile.split() if len(word) > 3 and word.isalpha()]
    assert (report.remaining, report.mismatches) == ({}, [])
    assert planned.changed == report.changed
    assert FORGOTTEN in row["notes"]
    for form in ("NFC", "NFD"):
        assert holders(database, *(unicodedata.normalize(form, word) for word in words)) == []
