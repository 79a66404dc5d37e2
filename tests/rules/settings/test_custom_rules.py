import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.handlers.decide import decide
from rules.model.changes import Change, Operation, Source
from rules.model.decision import Mirror
from rules.model.events import Event, EventType
from rules.settings import custom_rules
from rules.settings.custom_rules import CustomRule, rendered
from rules.settings.settings import Settings
from rules.text import MAX_TEXT

NOON = datetime(2026, 3, 1, 11, tzinfo=UTC)
TICKET = CustomRule("ticket", "tickets", "support_ticket", "Ticket {number}: {subject}")


def ticket(doc_id: Any = 1, at: datetime = NOON, **values: Any) -> Change:
    fields = {"rules": ("ticket",), "values": values}
    return Change(Source.CUSTOM, Operation.INSERT, doc_id, at, f"82{doc_id}", fields)


def events(change: Change, *rules: CustomRule) -> list[Event]:
    return decide(Mirror(), [change], Settings(custom=rules)).events


def test_a_document_that_matches_is_an_event_with_the_fields_in_its_text() -> None:
    [event] = events(ticket(number=7, subject="Non parte", customer_id="c"), TICKET)

    assert (event.key, event.type, event.at) == ("custom:ticket:1", EventType.SUPPORT_TICKET, NOON)
    assert (event.description, event.customer_id) == ("Ticket 7: Non parte", "c")
    assert event.metadata == {"rule": "ticket", "collection": "tickets", "document_id": "1"}


def test_a_deleted_rule_emits_no_event() -> None:
    assert events(ticket()) == []


SHOWN = [
    ("Ada", "Ada"),
    ("{subject}", "{subject}"),
    ("a\n\u202eb\x1b[31m", "a b[31m"),
    (True, "sì"),
    (7.0, "7"),
    (19.99, "19.99"),
    (float("nan"), "nan"),
    (Decimal("sNaN"), "sNaN"),
    (Decimal("12.50"), "12.50"),
    (NOON, "01/03/2026 12:00"),
    (None, ""),
    ({"$ne": None}, ""),
    ([1], ""),
]


@pytest.mark.parametrize(("value", "text"), SHOWN)
def test_every_value_is_one_short_line(value: object, text: str) -> None:
    [event] = events(ticket(subject=value), replace(TICKET, text="> {subject}"))

    assert event.description == f"› {text}".strip()


def test_an_empty_rendered_text_becomes_the_rules_name() -> None:
    assert rendered(replace(TICKET, text="{subject}"), {"subject": "\u200b"}, lambda at: at) == "ticket"


@given(
    st.one_of(st.text(), st.binary(), st.floats(), st.decimals(), st.integers(), st.dictionaries(st.text(), st.text()))
)
def test_any_field_value_gives_one_bounded_line(value: object) -> None:
    line = rendered(TICKET, {"number": value, "subject": value}, lambda at: at)

    assert all(char.isprintable() or char == "\u200d" or unicodedata.category(char) == "Cn" for char in line)
    assert 0 < len(line) <= MAX_TEXT


def test_a_field_of_a_megabyte_is_cut() -> None:
    assert len(rendered(TICKET, {"subject": "x" * 1_000_000}, lambda at: at)) < MAX_TEXT


INVALID = [
    ({"name": "Il mio ticket"}, "name: must be a name of at most 40 characters"),
    ({"collection": "licenses"}, "collection: must be a collection that the daemon does not use"),
    ({"collection": "analytics_ledger"}, "collection: must"),
    ({"collection": ""}, "collection: must"),
    ({"event_type": "new_customer"}, "event_type: must be one of marketing_campaign, "),
    ({"text": " "}, "text: must be a text"),
    ({"text": "a {0.__class__!r}"}, "text: must have fields as {name}"),
    ({"text": "a {b"}, "text: must have fields as {name}"),
    ({"match": {"$where": "sleep(1000)"}}, "match: must not contain JavaScript"),
    ({"match": {"$and": [{"$where": "1"}]}}, "match: must not contain JavaScript"),
    ({"match": {"at": {"$gt": NOON.date()}}}, "match: must have dates with time and zone"),
]


@pytest.mark.parametrize(("change", "message"), INVALID, ids=str)
def test_an_invalid_rule_is_refused_with_its_key_and_the_requirement(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("{", "[{]")):
        replace(TICKET, **change)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="ticket twice"):
        custom_rules.check([TICKET, TICKET])
