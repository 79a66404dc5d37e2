"""What becomes of a row that stands: nothing of ours is lost, nothing of theirs is taken."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.rows import amendment
from rules.rows.amendment import REPORTED, Amended, Difference

NOW = datetime(2025, 8, 21, 6, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

Row = dict[str, Any]


def made(**numbers: Any) -> Row:
    return {"date": NOW, "period_type": "daily", "mrr": 7.99, "new_customers": 1, "auto_notes": "nota", **numbers}


def written(row: Row, stored: Row | None = None, kept: Row | None = None, *, final: bool = True) -> Amended:
    return amendment.amended(row, stored, kept, final=final, now=NOW)


def dashboards(notes: str, *descriptions: str) -> Row:
    """What "save today" leaves of a row."""
    events = [{"type": "x", "description": text} for text in descriptions]
    return {"date": NOW, "period_type": "daily", "mrr": 1.0, "notes": notes, "auto_events": events, "created_at": LATER}


def test_a_first_row_is_no_amendment() -> None:
    done = written(made())

    assert (done.row["revision"], done.row["notes"], done.row["final"]) == (0, "nota", True)
    assert (done.differences, done.healed, "first_reported" in done.row) == ([], False, False)


def test_a_live_row_changes_as_often_as_it_likes_without_a_revision() -> None:
    live = written(made(), final=False).row

    assert written(made(mrr=9.0), live, live).row["revision"] == 0


def test_a_final_row_that_changes_says_what_and_keeps_its_first_report_for_ever() -> None:
    first = written(made()).row
    second = written(made(mrr=9.0, mrr_movements={"new": {"count": 2}}), first, first)
    third = written(made(mrr=11.0), second.row, second.row)

    assert second.differences == [Difference("mrr", 7.99, 9.0)], "a field that is new is none that changed"
    assert (second.row["revision"], third.row["revision"]) == (1, 2)
    assert second.row["first_reported"] == third.row["first_reported"]
    assert third.row["first_reported"]["mrr"] == 7.99


def test_differences_inside_a_field_are_named_one_by_one() -> None:
    before = made(revenue_by_plan={"pro": {"revenue": 7.99, "count": 1}, "old": {"count": 1}})
    after = made(revenue_by_plan={"pro": {"revenue": 9.0, "count": 1}, "new": {"count": 1}})

    assert list(amendment.differences(before, after, ("revenue_by_plan",))) == [
        Difference("revenue_by_plan.pro.revenue", 7.99, 9.0),
        Difference("revenue_by_plan.old", {"count": 1}, None),
        Difference("revenue_by_plan.new", None, {"count": 1}),
    ]


@pytest.mark.parametrize(
    ("notes", "descriptions", "kept"),
    [
        ("Ferie", ("Nuovo cliente: Ada",), True),
        ("Nuovo cliente: Ada", ("Nuovo cliente: Ada",), False),
        ("🎉 Nuovo cliente: Ada • 💰 Pagamento", ("Nuovo cliente: Ada", "Pagamento"), False),
        ("Nuovo cliente: Ada • Ferie", ("Nuovo cliente: Ada",), True),
        ("nota", (), False),
        ("", ("Nuovo cliente: Ada",), False),
        ("Nuovo cliente: Ada", (), True),
    ],
)
def test_of_a_row_that_was_saved_over_only_a_persons_words_are_kept(
    notes: str, descriptions: tuple[str, ...], kept: bool
) -> None:
    ours = written(made()).row
    healed = written(made(), dashboards(notes, *descriptions), ours)

    assert healed.healed
    assert healed.row["notes"] == (notes if kept else "nota")
    assert (healed.row["final"], healed.row["revision"]) == (True, 0)


def test_a_row_saved_over_is_amended_against_what_we_reported_not_against_theirs() -> None:
    ours = written(made()).row
    same = written(made(), dashboards("x"), ours)
    changed = written(made(mrr=9.0), dashboards("x"), ours)

    assert (same.differences, same.row["revision"]) == ([], 0)
    assert changed.differences == [Difference("mrr", 7.99, 9.0)]
    assert changed.row["first_reported"]["mrr"] == 7.99


@given(st.lists(st.tuples(st.sampled_from(("daemon", "save", "edit", "delete")), st.integers(0, 3)), max_size=12))
def test_whatever_dashboard_and_daemon_do_by_turns_history_is_kept_and_no_text_of_a_person_is_lost(
    steps: list[tuple[str, int]],
) -> None:
    """The daemon writes last; revisions count its own changes, whoever replaced, edited or deleted rows between."""
    stored, kept, text = None, None, ""
    reported: list[float] = []
    for who, number in (*steps, ("daemon", 0)):
        if who == "daemon":
            stored = kept = written(made(mrr=float(number)), stored, kept).row
            if not reported or reported[-1] != float(number):
                reported.append(float(number))
        elif who == "save":
            stored, text = dashboards(f"testo {number}"), f"testo {number}"
        elif who == "edit" and stored is not None:
            stored, text = {**stored, "notes": f"mano {number}"}, f"mano {number}"
        elif who == "delete":
            stored, text = None, ""

    assert stored is not None
    assert stored["notes"] == (text or "nota")
    assert stored["revision"] == len(reported) - 1
    assert stored.get("first_reported", stored)["mrr"] == reported[0]
    assert set(stored.get("first_reported", {})) <= {*REPORTED, "updated_at"}


@pytest.mark.parametrize(
    ("told", "standing", "older", "lost"),
    [(0, 0, False, False), (3, 3, False, False), (3, 0, True, True), (3, 2, False, True), (3, 2, True, False)],
)
def test_events_are_gone_where_the_oldest_were_deleted(told: int, standing: int, older: bool, lost: bool) -> None:
    assert amendment.lost_its_events({"auto_events_total": told}, standing, older) is lost
    assert amendment.lost_its_events(None, standing, older) is False


def test_a_note_of_ours_follows_us_also_where_the_row_around_it_was_saved_over() -> None:
    ours = written(made()).row
    saved = dashboards("nota", "Nuovo cliente: Ada")

    assert written(made(auto_notes="nuova"), ours, ours).row["notes"] == "nuova"
    assert written(made(auto_notes="nuova"), saved, ours).row["notes"] == "nuova"
    assert written(made(auto_notes="nuova"), {**ours, "notes": "mia"}, ours).row["notes"] == "mia"


@pytest.mark.parametrize("odd", [["a", "list"], {"a": 1}, 7, None, float("nan")])
def test_a_row_holds_what_it_likes_and_is_written_all_the_same(odd: Any) -> None:
    strange = {**dashboards("x"), "notes": odd, "auto_events": odd, "revision": odd, "mrr": odd, "auto_notes": odd}
    if isinstance(odd, int):
        del strange["revision"]
    done = written(made(), strange, None)

    assert (done.row["mrr"], done.row["revision"], done.row["auto_notes"]) == (7.99, 0, "nota")
    theirs = written(made(), {**strange, "auto_notes": "old"}, None)
    assert theirs.row["notes"] == (odd or "nota") or odd != odd
