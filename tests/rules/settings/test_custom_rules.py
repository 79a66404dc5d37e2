from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.handlers.decide import Mirror, decide
from rules.model.changes import Change, Operation, Source
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


def test_a_rule_that_is_gone_says_nothing_any_more() -> None:
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


@pytest.mark.parametrize(("value", "text"), SHOWN, ids=str)
def test_every_value_is_one_short_line(value: object, text: str) -> None:
    [event] = events(ticket(subject=value), replace(TICKET, text="> {subject}"))

    assert event.description == f"> {text}".strip()


def test_a_text_of_which_nothing_is_left_is_the_rules_name() -> None:
    assert rendered(replace(TICKET, text="{subject}"), {"subject": "\u200b"}, lambda at: at) == "ticket"


@given(
    st.one_of(st.text(), st.binary(), st.floats(), st.decimals(), st.integers(), st.dictionaries(st.text(), st.text()))
)
def test_whatever_a_field_holds_the_text_is_one_bounded_line(value: object) -> None:
    line = rendered(TICKET, {"number": value, "subject": value}, lambda at: at)

    assert line.isprintable() or "\u200d" in line
    assert 0 < len(line) <= MAX_TEXT


def test_a_field_of_a_megabyte_is_cut() -> None:
    assert len(rendered(TICKET, {"subject": "x" * 1_000_000}, lambda at: at)) < MAX_TEXT


MISTAKES = [
    ({"name": "Il mio ticket"}, "name: wanted a short name"),
    ({"collection": "licenses"}, "collection: wanted a collection of your own"),
    ({"collection": "analytics_ledger"}, "collection: wanted"),
    ({"collection": ""}, "collection: wanted"),
    ({"event_type": "new_customer"}, "event_type: wanted one of feature_released, "),
    ({"text": " "}, "text: wanted a text"),
    ({"text": "a {0.__class__!r}"}, "text: wanted fields as {name}"),
    ({"text": "a {b"}, "text: wanted fields as {name}"),
    ({"match": {"$where": "sleep(1000)"}}, "match: wanted a match without JavaScript"),
    ({"match": {"$and": [{"$where": "1"}]}}, "match: wanted a match without JavaScript"),
    ({"match": {"at": {"$gt": NOON.date()}}}, "match: wanted dates with time and zone"),
]


@pytest.mark.parametrize(("change", "sentence"), MISTAKES, ids=str)
def test_a_rule_that_cannot_be_meant_names_its_key_and_what_was_wanted(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + sentence.replace("{", "[{]")):
        replace(TICKET, **change)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="ticket twice"):
        custom_rules.check([TICKET, TICKET])
