"""The grammar of `notes`: the daemon's and the dashboard's notes give way, a person's text stays exactly once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.rows import amendment
from rules.rows.note_grammar import CRON_COMMENT, FIRST_SNAPSHOT, NOTHING, DashboardForms, personal_text

NOW = datetime(2025, 8, 21, 6, 0, tzinfo=UTC)
Row = dict[str, Any]

SINGULAR = (
    "🎉 Nuovo cliente: Nuovo cliente registrato: TechCorp Italia (a@b.it)",
    "🎫 Nuova licenza Pro: Licenza Founders inserita manualmente: CHA-0123ABCD-0123ABCD-0123ABCD-0123ABCD",
    "💰 Pagamento ricevuto: €7.99",
    "🏆 🎉 Raggiunti 25 clienti totali!",
    "🏆 🚀 Founders Deal venduto! Solo 12 rimasti • 🏆 🚀 Founders Deal venduto! Solo 11 rimasti",
)
PLURAL = (
    "🎉 6 nuovi clienti registrati",
    "🎫 5 nuove licenze create",
    "💰 5 pagamenti completati (€19.95)",
    "⬆️ 2 upgrade piano",
    "⬇️ 1 downgrade piano",
    "⚠️ Problemi tecnici risolti",
    "🔧 Manutenzione programmata",
    "😞 1 licenze cancellate",
    "❌ 2 pagamenti falliti",
)
FORMS = (*SINGULAR, *PLURAL, " • ".join(PLURAL), " • ".join((*SINGULAR, *PLURAL)), CRON_COMMENT, FIRST_SNAPSHOT)


def computed(note: str = "nota") -> Row:
    return {"date": NOW, "period_type": "daily", "mrr": 7.99, "auto_notes": note, "auto_events": []}


def dashboard_row(notes: Any, *texts: str) -> Row:
    events = [{"type": "feature_released", "description": text} for text in texts]
    return {"date": NOW, "period_type": "daily", "mrr": 1.0, "notes": notes, "auto_events": events}


def written(stored: Row | None, own: Row | None = None, note: str = "nota", *, final: bool = True) -> Row:
    return amendment.amend(computed(note), stored, own, final=final, now=NOW).row


def copied(stored: Row | None, own: Row | None, note: str) -> tuple[Row, Row]:
    """Return the row that is written, and the daemon's copy of it."""
    done = amendment.amend(computed(note), stored, own, final=False, now=NOW)
    return done.row, {**done.row, "comment": done.comment}


@pytest.mark.parametrize("text", FORMS)
@pytest.mark.parametrize("is_own", [False, True])
def test_every_form_that_the_dashboard_composes_gives_way(text: str, is_own: bool) -> None:
    own = written(None)
    for suffix, comment in (("", ""), (f" | {CRON_COMMENT}", ""), (" | Ferie | a casa", " | Ferie | a casa")):
        stored = {**own, "notes": text + suffix} if is_own else dashboard_row(text + suffix)
        row = written(stored, own, "nuova")

        assert row["notes"] == f"nuova{comment}"
        assert row["revision"] == 1, "the row's own note changed"
        assert written(stored, own)["revision"] == 0, "giving way is no amendment"
        assert "first_reported" not in written(stored, own)


@pytest.mark.parametrize("prefix", ["🚀 ", "📢 ", "🤝 ", "🏆 ", "🎉 Nuovo cliente: ", "🎫 Nuova licenza Pro: "])
def test_the_text_of_an_event_of_the_row_is_recognized_behind_the_words_of_its_type(prefix: str) -> None:
    event = "Lancio | fase 2 • a@b.it"
    own = written(None)
    frozen = {**own, "notes": prefix + event, "auto_events": [{"description": event}]}

    assert written(dashboard_row(f"{prefix}{event} | Ferie", event))["notes"] == "nota | Ferie"
    assert written(frozen, own)["notes"] == "nota"
    assert written({**own, "notes": prefix + event}, own)["notes"] == prefix + event, "no event has this text"


@pytest.mark.parametrize(
    "text",
    [
        "Ferie",
        "Ferie | 🎉 6 nuovi clienti registrati",
        "🎉 6 nuovi clienti registrati, evviva!",
        "🎉 6 nuovi clienti registrati • Ferie",
        "🚀 Lancio del sito",
        "nota e altro",
        "not",
        f"Ferie | {CRON_COMMENT}",
        "🎉 6 nuovi clienti registrati |Ferie",
        "🎉 Nuovo cliente: il mio primo!",
    ],
)
def test_a_text_that_begins_otherwise_is_a_whole_note_and_left_alone(text: str) -> None:
    own = written(None)

    assert written({**own, "notes": text}, own, "nuova")["notes"] == text
    assert written(dashboard_row(text), own, "nuova")["notes"] == text
    assert written(dashboard_row(text), None, "nuova")["notes"] == text


@pytest.mark.parametrize("empty", ["", None, "  ", "\n"])
def test_an_emptied_note_comes_back(empty: str | None) -> None:
    own = {**written(None), "notes": "nota | Ferie"}

    assert written({**own, "notes": empty}, own)["notes"] == "nota"
    assert amendment.current_text({**own, "notes": empty}, own) == NOTHING


def test_a_comment_stays_behind_every_later_note_and_may_be_changed_or_removed() -> None:
    own = written(None)
    row = written({**own, "notes": "nota | Ferie"}, own, "seconda")
    again = written(row, row, "terza")
    edited = written({**again, "notes": "terza | Ponte"}, again, "quarta")
    removed = written({**edited, "notes": "quarta"}, edited, "quinta")

    assert (row["notes"], again["notes"]) == ("seconda | Ferie", "terza | Ferie")
    assert (edited["notes"], removed["notes"]) == ("quarta | Ponte", "quinta")


@pytest.mark.parametrize(("before", "after"), [("nota | Ferie", "nota | Ferie"), ("Ferie", "Ferie")])
def test_a_later_save_today_without_a_text_keeps_what_a_person_wrote(before: str, after: str) -> None:
    own = written({**written(None), "notes": before}, written(None))

    assert written(dashboard_row(PLURAL[0]), own)["notes"] == after
    assert written(dashboard_row(""), own)["notes"] == after
    assert written(dashboard_row(f"{PLURAL[0]} | Ponte"), own)["notes"] == "nota | Ponte"
    assert written(dashboard_row("Ponte"), own)["notes"] == "Ponte"


def test_a_comment_stays_one_while_the_generated_note_is_empty() -> None:
    row, own = copied(dashboard_row(f"{PLURAL[0]} | Ferie"), None, "")
    quiet = row["notes"]
    row, own = copied(row, own, "")
    row, own = copied(row, own, "nota")
    whole, _ = copied({**written(None, None, ""), "notes": "Ferie"}, None, "nota")

    assert (quiet, row["notes"]) == ("Ferie", "nota | Ferie")
    assert whole["notes"] == "Ferie", "typed on a day without events: a whole note"


def test_hostile_texts_are_recognized_in_bounded_time() -> None:
    texts = ["a", "a • a", "a | a", *(f"a{n}" for n in range(500))]
    text = " • ".join(["a"] * 5000) + "!"

    assert DashboardForms(texts, allows_bare=True).end(text[:5000] + "!") is None
    assert DashboardForms(texts, allows_bare=True).end("a • a • a | a") == len("a • a • a | a")
    assert personal_text(text, ["nota"], [DashboardForms(texts)]).is_whole


# A person's text in any sequence of writes

WORDS = st.text("aà |•'", min_size=1, max_size=8).map(lambda text: f"x{text}x")
EVENTS = st.lists(st.text("bè |•", min_size=1, max_size=6).map(lambda text: f"y{text}y"), max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("daemon"), st.booleans()),
    st.tuples(st.just("save"), EVENTS, st.one_of(st.just(""), WORDS)),
    st.tuples(st.just("edit"), WORDS),
    st.tuples(st.just("comment"), WORDS),
    st.tuples(st.just("empty")),
)
PREFIXES = ("🚀 ", "📢 ", "🤝 ", "🏆 ")


@given(st.lists(STEPS, max_size=12), st.sampled_from(PREFIXES))
def test_in_any_sequence_a_persons_text_is_kept_once_and_generated_notes_give_way(
    steps: list[tuple[Any, ...]], prefix: str
) -> None:
    """The daemon writes after each step, as it does within a minute; a save without a text keeps the person's text."""
    note = "nota"
    stored, own = copied(None, None, note)
    person, is_whole = "", False
    for number, (writer, *values) in enumerate(steps):
        if writer == "daemon":
            note = f"nota {number}" if values[0] else ""
        elif writer == "save":
            events, typed = values
            parts = [prefix + text for text in events] or [PLURAL[0]]
            stored = dashboard_row(" • ".join(parts) + (f" | {typed}" if typed else ""), *events)
            person, is_whole = (typed, False) if typed else (person, is_whole)
        elif writer == "edit":
            is_whole = is_whole or bool(note) or values[0] != person
            person = values[0]
            stored = {**stored, "notes": person}
        elif writer == "comment" and note:
            person, is_whole = values[0], False
            stored = {**stored, "notes": f"{note} | {person}"}
        elif writer == "empty":
            person, is_whole = "", False
            stored = {**stored, "notes": ""}
        stored, own = copied(stored, own, note)

        expected = person if is_whole or not note else f"{note} | {person}" if person else note
        assert stored["notes"] == expected
        assert amendment.current_text(stored, own).with_note(note) == expected
        assert stored["revision"] == 0
