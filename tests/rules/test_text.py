import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rules.text
from rules.text import MAX_NAME, READ_AHEAD, customer_name, name_text, note_text, one_line, without_private_parts


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
def test_a_text_is_normalized_to_one_line_of_visible_characters(text: str, shown: str) -> None:
    assert one_line(text) == shown


@pytest.mark.parametrize("value", [None, 7, b"x", ["x"], {"k": 1}, float("nan")])
def test_a_value_that_is_not_a_string_becomes_an_empty_text(value: object) -> None:
    assert one_line(value) == ""


@given(st.text(), st.integers(1, 40))
def test_any_text_is_bounded_and_contains_no_invisible_character(text: str, limit: int) -> None:
    line = one_line(text, limit)

    assert len(line) <= limit
    assert line == line.strip()
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or c == "\u200d" for c in line)


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_the_fast_path_for_ascii_gives_the_same_line(text: str) -> None:
    assert one_line(text) == one_line("è" + text)[1:].strip()


def test_a_long_text_ends_in_an_ellipsis() -> None:
    assert one_line("abcdef", 4) == "abc…"


def test_only_the_start_of_a_very_long_name_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def record(char: str) -> str:
        read.append(char)
        return char

    monkeypatch.setattr(rules.text, "_visible", record)

    name = customer_name({"name": "è\x07" * 500_000})

    assert len(name) == MAX_NAME
    assert len(read) == MAX_NAME * READ_AHEAD


def test_a_customer_is_named_by_its_name_or_company_or_not_at_all() -> None:
    assert customer_name({"name": "Ada", "company": "Acme"}) == "Ada"
    assert customer_name({"name": "\u200b", "company": "Acme"}) == "Acme"
    assert customer_name({"name": {"first": "Ada"}}) == ""
    assert customer_name(None) == ""


def test_a_character_of_a_newer_unicode_version_is_visible_and_a_noncharacter_is_not() -> None:
    assert one_line("🩷 Grazie 🫨\ufdd0\uffff\U000e0fff\U0010fffe!") == "🩷 Grazie 🫨!"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("L'Officina D'Angelo", "L’Officina D’Angelo"),
        ("a\\b`c", "a/b’c"),
        ("<script>alert('x')</script>", "‹script›alert(’x’)‹/script›"),
        ("Rossi & Figli", "Rossi & Figli"),
        ("Tom&#39;s &lt", "Tom＆#39;s ＆lt"),
        ("Ada • 💰 Pagamento", "Ada · 💰 Pagamento"),
        ('Campagna "Founders Deal" inviata', 'Campagna "Founders Deal" inviata'),
        ('x" onclick="y', "x” onclick=”y"),
        ("Nuovo cliente registrato: TechCorp (a@b.it)", "Nuovo cliente registrato: TechCorp"),
        (
            "Licenza pro inserita manualmente: CHA-0123abcd-0123ABCD-0123ABCD-0123ABCD",
            "Licenza pro inserita manualmente",
        ),
        ("Scrivi a info@x.co.uk o a b@c.it!", "Scrivi a … o a …"),
        ("Citati da @wired", "Citati da @wired"),
        ("CHA-CHA-CHA", "CHA-CHA-CHA"),
        ("a@b@c.it", ""),
    ],
)
def test_a_note_text_is_safe_and_has_no_private_parts(text: str, shown: str) -> None:
    assert note_text(text) == shown


@given(st.text(), st.integers(2, 80))
def test_a_note_text_is_bounded_and_stays_as_it_is_when_cleaned_again(text: str, limit: int) -> None:
    line = note_text(text, limit)

    assert len(line) <= limit
    assert note_text(line, limit) == line
    assert not set(line) & set("<>'\\`•")


def test_private_parts_are_found_in_linear_time() -> None:
    for text in ("x" * 200_000, " " * 200_000, "x " * 100_000, "@" * 200_000, "x" * 200_000 + "@"):
        assert len(without_private_parts(text)) <= len(text)


def test_a_name_has_typographic_quotes_and_no_address() -> None:
    assert name_text('Bar "Da Gigi"') == "Bar “Da Gigi”"
    assert name_text("Mario Rossi mario@rossi.it") == "Mario Rossi"
    assert name_text("mario@rossi.it") == ""
    assert name_text("x" * 90) == "x" * 59 + "…"


@pytest.mark.parametrize("code", [0x2065, 0xFDD0, 0xFDEF, 0xFFF0, 0xFFF8, 0xFFFE, 0x1FFFF, 0xE0000, 0xE01F0])
def test_a_code_point_that_is_no_character_in_any_unicode_version_is_hidden(code: int) -> None:
    assert one_line(f"a{chr(code)}b") == "ab"


@pytest.mark.parametrize("code", [0x0378, 0x1FBFC])
def test_an_unassigned_code_point_that_may_be_a_newer_character_is_shown(code: int) -> None:
    assert one_line(f"a{chr(code)}b") == f"a{chr(code)}b"


def test_a_license_key_at_the_end_goes_with_its_colon_and_a_space() -> None:
    key = "CHA-12345678-12345678-12345678-12345678"

    assert without_private_parts(f"Licenza (XX : {key} )") == "Licenza (XX"
    assert without_private_parts(f"Chiave {key} di XX") == "Chiave … di XX"
