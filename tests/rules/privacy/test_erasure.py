"""Erasure rules: every form of a name is found, and changes and events lose only personal data."""

import unicodedata
from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.changes import Change, Operation, Plan, Source
from rules.model.events import EventType
from rules.privacy import erasure
from rules.rows import daily_note
from rules.rows.daily_note import Fact
from rules.settings import catalog
from rules.settings.catalog import FORGOTTEN
from rules.settings.former_texts import name_in_text
from rules.settings.settings import Settings
from rules.text import customer_name, name_text

PRO = Plan(1, "pro", "Pro", 799, 799, False)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@given(st.text(min_size=1, max_size=90))
def test_any_name_is_found_in_the_note_that_shows_it(name: str) -> None:
    shown = customer_name({"name": name})
    patterns = erasure.name_patterns([name], [])
    fact = Fact(EventType.NEW_CUSTOMER, f"Nuovo cliente: {shown}", shown)
    note = daily_note.compose([fact], Settings())
    clean = patterns.redact(note)

    assert patterns.redact(clean) == clean
    if name_text(shown) and not patterns.common:
        assert FORGOTTEN in clean
        assert patterns.matches(note)


NAMES = st.lists(
    st.sampled_from(("Caffè", "Perù", "L'Orso", "D’Angelo", '"Da Ugo"', "<b>", "🍕", "م", "Łódź", "e\u0301")),
    min_size=2,
    max_size=5,
).map(" ".join)


Form = Literal["NFC", "NFD"]
FORMS: st.SearchStrategy[Form] = st.sampled_from(("NFC", "NFD"))


@given(NAMES, FORMS, FORMS)
def test_a_name_is_found_in_another_unicode_form_and_with_other_quotes(name: str, stored: Form, written: Form) -> None:
    patterns = erasure.name_patterns([unicodedata.normalize(stored, name)], [])
    text = unicodedata.normalize(written, name)

    for other in (text, text.replace("'", "’"), text.replace("’", "'"), name_text(text)):
        assert patterns.redact(f"visto {other}, oggi") == f"visto {FORGOTTEN}, oggi"
        assert patterns.matches([{"x": f"visto {other}"}])


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_text_without_the_name_is_unchanged(name: str, text: str) -> None:
    patterns = erasure.name_patterns([name], [])

    assert patterns.matches(text) == (patterns.redact(text) != text) or FORGOTTEN in text


def test_another_persons_longer_name_is_kept_and_a_namesakes_is_not() -> None:
    patterns = erasure.name_patterns(["Anna"], [], ["Anna Bianchi", "anna", "Studio Anna & C."])

    assert patterns.redact("Anna, Anna Bianchi e studio  ANNA & C.") == f"{FORGOTTEN}, Anna Bianchi e studio  ANNA & C."
    assert list(patterns.find("anna Bianchi, anna!")) == ["anna"]
    assert not patterns.matches(["Anna Bianchi", {"x": "Studio Anna & C."}])


RENDERED = [
    (catalog.new_customer("Rossi, Bianchi"), "Rossi, Bianchi"),
    (catalog.payment(EventType.PAYMENT_COMPLETED, 799, "Luca da Vinci"), "Luca da Vinci"),
    (catalog.license_changed(EventType.LICENSE_EXPIRED, "Pro", "Bar: da Ugo"), "Bar: da Ugo"),
    (catalog.plan_changed("Pro", "Agency", "Ada", is_upgrade=True), "Ada"),
    ("Benvenuta Ada!", "Ada"),
    ("Articolo su Wired", None),
    ("Festività: Natale", None),
    ("Oggi è festa: Natale", None),
    ("Licenza riattivata: Pro, Rossi, Bianchi & C.", "Rossi, Bianchi & C."),
    ("Licenza rinnovata: Pro, Ada", "Ada"),
    ("Licenza cancellata: Pro, Ada", "Ada"),
    ("Licenza scaduta: Pro, Ada", "Ada"),
    ("Licenza sospesa: Pro, Ada", "Ada"),
    ("Pagamento fallito: €7.99 da Ada", "Ada"),
    ("Upgrade: STARTER → PRO, Ada", "Ada"),
    ("Downgrade: PRO → STARTER, Ada", "Ada"),
    ("Nuovo cliente registrato: TechCorp Italia (a@b.it)", "TechCorp Italia"),
    ("Nuova licenza Pro - AI Inclusa per Ada", "Ada"),
]


@pytest.mark.parametrize(("text", "name"), RENDERED)
def test_the_name_is_recognized_in_a_rendered_text(text: str, name: str | None) -> None:
    assert name_in_text({"new_customer": "Benvenuta {name}!"}, text) == name


def change(op: Operation, **more: object) -> Change:
    return Change(Source.CUSTOMERS, op, 1, NOON, "82", **more)  # type: ignore[arg-type]


def test_a_change_of_a_forgotten_customer_loses_only_personal_fields() -> None:
    fields = {"name": "Ada", "company": "Acme", "email": "a@b.it", "created_at": NOON}
    inserted = erasure.without_personal_data(change(Operation.INSERT, fields=fields))
    updated = erasure.without_personal_data(
        change(
            Operation.UPDATE,
            fields={"name.first": "Ada", "status": "active"},
            removed=("company", "phone"),
            truncated=(("name", 1), ("tags", 2)),
        )
    )

    assert inserted.fields == {"name": FORGOTTEN, "created_at": NOON}
    assert (updated.fields, updated.removed, updated.truncated) == ({"status": "active"}, ("phone",), (("tags", 2),))
    assert erasure.without_personal_data(change(Operation.DELETE)) == change(Operation.DELETE)


def test_an_event_is_rendered_without_the_name_or_is_only_the_placeholder() -> None:
    paid = {"event_type": "payment_completed", "amount": 7.99, "description": "x", "metadata": {"customer_name": "Ada"}}
    odd = {"event_type": "support_ticket", "description": "Ada chiede", "metadata": None}
    redacted = erasure.redacted_event(paid, {}, Settings())

    assert redacted["description"] == f"Pagamento ricevuto: €7.99 da {FORGOTTEN}"
    assert redacted["metadata"] == {"customer_name": FORGOTTEN}
    assert erasure.redacted_event(redacted, {}, Settings()) == redacted
    assert erasure.redacted_event(odd, {}, Settings())["description"] == FORGOTTEN
