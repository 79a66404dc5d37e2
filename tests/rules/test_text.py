import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import text as names
from rules.text import MAX_NAME, READ_AHEAD, customer_name, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("TechCorp Italia", "TechCorp Italia"),
        ("  a \t b\r\n c ", "a b c"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("abc\u202edcba\u202c", "abcdcba"),
        ("\u2066x\u2069\u200e\u200f\ufeff\u200b", "x"),
        ("\x00\x1b[31mred\x07", "[31mred"),
        ("\ud800lone", "lone"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("Città è più", "Città è più"),
        ("👩\u200d👩\u200d👧 Famiglia", "👩\u200d👩\u200d👧 Famiglia"),
        ("\u200d", ""),
        ("\u3164\u2800", ""),
        ("日本", "日本"),
    ],
)
def test_a_text_is_shown_on_one_line_without_tricks(text: str, shown: str) -> None:
    assert one_line(text) == shown


@pytest.mark.parametrize("value", [None, 7, b"x", ["x"], {"k": 1}, float("nan")])
def test_what_is_no_text_is_nothing(value: object) -> None:
    assert one_line(value) == ""


@given(st.text(), st.integers(1, 40))
def test_any_text_is_bounded_and_holds_nothing_invisible(text: str, limit: int) -> None:
    line = one_line(text, limit)

    assert len(line) <= limit
    assert line == line.strip()
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or c == "\u200d" for c in line)


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_plain_text_takes_a_short_cut_to_the_same_line(text: str) -> None:
    assert one_line(text) == one_line("è" + text)[1:].strip()


def test_a_long_text_ends_in_an_ellipsis() -> None:
    assert one_line("abcdef", 4) == "abc…"


def test_a_name_of_a_megabyte_is_looked_at_only_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    def look(char: str) -> str:
        looked_at.append(char)
        return char

    monkeypatch.setattr(names, "_visible", look)

    name = customer_name({"name": "è\x07" * 500_000})

    assert len(name) == MAX_NAME
    assert len(looked_at) == MAX_NAME * READ_AHEAD


def test_a_customer_is_named_by_its_name_else_its_company_else_not_at_all() -> None:
    assert customer_name({"name": "Ada", "company": "Acme"}) == "Ada"
    assert customer_name({"name": "\u200b", "company": "Acme"}) == "Acme"
    assert customer_name({"name": {"first": "Ada"}}) == ""
    assert customer_name(None) == ""
