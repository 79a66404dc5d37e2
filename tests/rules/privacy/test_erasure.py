"""Forgetting, the pure part: no name goes by, whatever it is made of, and a change loses nothing else."""

from datetime import UTC, datetime

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
from rules.settings.settings import Settings
from rules.text import customer_name

PRO = Plan(1, "pro", "Pro", 799, 799, False)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@given(st.text(min_size=1, max_size=90))
def test_whatever_a_name_is_made_of_it_is_found_in_the_note_that_shows_it(name: str) -> None:
    shown = customer_name({"name": name})
    needles = erasure.name_patterns([name], [])
    fact = Fact(EventType.NEW_CUSTOMER, f"Nuovo cliente: {shown}", shown)
    note = daily_note.compose([fact], Settings())
    clean = needles.without(note)

    assert needles.without(clean) == clean
    if shown and not needles.common:
        assert FORGOTTEN in clean
        assert needles.holds(note)


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_text_that_does_not_hold_the_name_is_left_as_it_is(name: str, text: str) -> None:
    needles = erasure.name_patterns([name], [])

    assert needles.holds(text) == (needles.without(text) != text) or FORGOTTEN in text


def test_the_name_of_somebody_else_is_left_whole_and_a_namesakes_is_not() -> None:
    needles = erasure.name_patterns(["Anna"], [], ["Anna Bianchi", "anna", "Studio Anna & C."])

    assert needles.without("Anna, Anna Bianchi e studio  ANNA & C.") == f"{FORGOTTEN}, Anna Bianchi e studio  ANNA & C."
    assert list(needles.found("anna Bianchi, anna!")) == ["anna"]
    assert not needles.holds(["Anna Bianchi", {"x": "Studio Anna & C."}])


SAID = [
    (catalog.new_customer("Rossi, Bianchi"), "Rossi, Bianchi"),
    (catalog.payment(EventType.PAYMENT_COMPLETED, 799, "Luca da Vinci"), "Luca da Vinci"),
    (catalog.license_turned(EventType.LICENSE_EXPIRED, PRO, "Bar: da Ugo"), "Bar: da Ugo"),
    (catalog.plan_changed(PRO, PRO, "Ada", is_upgrade=True), "Ada"),
    ("Benvenuta Ada!", "Ada"),
    ("Articolo su Wired", None),
    ("Festività: Natale", None),
]


@pytest.mark.parametrize(("text", "name"), SAID)
def test_the_name_is_known_again_in_what_was_said(text: str, name: str | None) -> None:
    assert catalog.name_in_text({"new_customer": "Benvenuta {name}!"}, text) == name


def change(op: Operation, **more: object) -> Change:
    return Change(Source.CUSTOMERS, op, 1, NOON, "82", **more)  # type: ignore[arg-type]


def test_a_change_of_somebody_forgotten_carries_nothing_personal_and_all_else() -> None:
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


def test_an_event_is_told_again_without_the_name_or_says_nothing_but_that() -> None:
    paid = {"event_type": "payment_completed", "amount": 7.99, "description": "x", "metadata": {"customer_name": "Ada"}}
    odd = {"event_type": "support_ticket", "description": "Ada chiede", "metadata": None}
    told = erasure.redacted_event(paid, {}, Settings())

    assert told["description"] == f"Pagamento ricevuto: €7.99 da {FORGOTTEN}"
    assert told["metadata"] == {"customer_name": FORGOTTEN}
    assert erasure.redacted_event(told, {}, Settings()) == told
    assert erasure.redacted_event(odd, {}, Settings())["description"] == FORGOTTEN
