"""Search for names: every name that contains the text is among the candidates of the database."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules.name_search import candidates_pattern, folded, sort_key
from rules.text import MAX_NAME, one_line

NAMES = st.text(max_size=MAX_NAME) | st.text("aàbéeßẞſsKkﬁfi’'´İi ŉ\u0301\u030c\u200b.-&İJǰ", max_size=12)


@given(NAMES, st.integers(0, 20), st.integers(1, 8))
@example("rossi\u200btech", 0, 7)
@example("Cafe\u0301", 0, 4)
@example("STRAẞE", 2, 6)
def test_a_stored_name_that_contains_the_text_is_a_candidate(name: str, start: int, length: int) -> None:
    shown = folded(one_line(name, MAX_NAME))
    wanted = shown[start : start + length]

    assert re.search(candidates_pattern(wanted), name, re.IGNORECASE)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("caffé", "CAFFE\u0301"),
        ("strasse", "Straße"),
        ("dell'olio", "Dell’Olio"),
        ("finanza", "ﬁnanza"),
        ("k", "\u212a"),
    ],
)
def test_case_accents_apostrophes_and_ligatures_make_no_difference(wanted: str, name: str) -> None:
    assert folded(wanted) in folded(name)


def test_letters_that_other_letters_fold_to_are_known() -> None:
    found = {char for code in range(0x80, 0x110000) if not 0xD800 <= code < 0xE000 for char in folded(chr(code))}

    assert all(candidates_pattern(char).endswith("?") for char in found if char.isascii() and not char.isspace())


def test_the_text_is_no_regular_expression() -> None:
    assert not re.search(candidates_pattern("r.*i"), "rossi", re.IGNORECASE)


def test_accents_and_case_do_not_count_for_the_order_of_names() -> None:
    names = ["Zeta", "Èlite", "alfa", "D’Amico", "Àncora", "elio", "D'Andrea", "ancona", "Straße", "strasburgo"]

    assert sorted(names, key=sort_key) == [
        *("alfa", "ancona", "Àncora", "D’Amico", "D'Andrea", "elio", "Èlite", "strasburgo", "Straße", "Zeta"),
    ]
