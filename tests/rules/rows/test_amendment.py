"""Amendment of an existing row: the daemon's history and personal notes are kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.rows import amendment
from rules.rows.amendment import REPORTED, Amendment, FieldDifference

NOW = datetime(2025, 8, 21, 6, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

Row = dict[str, Any]


def computed(**numbers: Any) -> Row:
    return {"date": NOW, "period_type": "daily", "mrr": 7.99, "new_customers": 1, "auto_notes": "nota", **numbers}


def written(row: Row, stored: Row | None = None, kept: Row | None = None, *, final: bool = True) -> Amendment:
    return amendment.amend(row, stored, kept, final=final, now=NOW)


def dashboards(notes: str, *descriptions: str) -> Row:
    """Return a row as the dashboard's "save today" writes it."""
    events = [{"type": "x", "description": text} for text in descriptions]
    return {"date": NOW, "period_type": "daily", "mrr": 1.0, "notes": notes, "auto_events": events, "created_at": LATER}


def test_a_first_row_is_not_an_amendment() -> None:
    done = written(computed())

    assert (done.row["revision"], done.row["notes"], done.row["final"]) == (0, "nota", True)
    assert (done.differences, done.restored, "first_reported" in done.row) == ([], False, False)


def test_an_amendment_is_of_the_note_only_while_the_numbers_are_those_first_reported() -> None:
    first = written(computed(revenue_by_plan={"pro": {"count": 1}})).row
    note = written(computed(auto_notes="altra", revenue_by_plan={"pro": {"count": 1}}), first, first).row
    number = written(computed(auto_notes="altra", revenue_by_plan={"pro": {"count": 2}}), note, note).row

    found = [amendment.is_of_the_note_only(row) for row in (first, note, number, {**note, "first_reported": {}})]
    assert found == [False, True, False, False]


def test_a_live_row_changes_without_a_revision() -> None:
    live = written(computed(), final=False).row

    assert written(computed(mrr=9.0), live, live).row["revision"] == 0


def test_an_amended_final_row_lists_the_differences_and_keeps_its_first_report() -> None:
    first = written(computed()).row
    second = written(computed(mrr=9.0, mrr_movements={"new": {"count": 2}}), first, first)
    third = written(computed(mrr=11.0), second.row, second.row)

    assert second.differences == [FieldDifference("mrr", 7.99, 9.0)], "a new field is not a difference"
    assert (second.row["revision"], third.row["revision"]) == (1, 2)
    assert second.row["first_reported"] == third.row["first_reported"]
    assert third.row["first_reported"]["mrr"] == 7.99


def test_differences_inside_a_field_are_named_one_by_one() -> None:
    before = computed(revenue_by_plan={"pro": {"revenue": 7.99, "count": 1}, "old": {"count": 1}})
    after = computed(revenue_by_plan={"pro": {"revenue": 9.0, "count": 1}, "new": {"count": 1}})

    assert list(amendment.differences(before, after, ("revenue_by_plan",))) == [
        FieldDifference("revenue_by_plan.pro.revenue", 7.99, 9.0),
        FieldDifference("revenue_by_plan.old", {"count": 1}, None),
        FieldDifference("revenue_by_plan.new", None, {"count": 1}),
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
def test_of_a_replaced_row_only_a_personal_note_is_kept(notes: str, descriptions: tuple[str, ...], kept: bool) -> None:
    own = written(computed()).row
    result = written(computed(), dashboards(notes, *descriptions), own)

    assert result.restored
    assert result.row["notes"] == (notes if kept else "nota")
    assert (result.row["final"], result.row["revision"]) == (True, 0)


def test_a_replaced_row_is_compared_with_the_daemons_report_not_the_dashboards() -> None:
    own = written(computed()).row
    same = written(computed(), dashboards("x"), own)
    changed = written(computed(mrr=9.0), dashboards("x"), own)

    assert (same.differences, same.row["revision"]) == ([], 0)
    assert changed.differences == [FieldDifference("mrr", 7.99, 9.0)]
    assert changed.row["first_reported"]["mrr"] == 7.99


@given(st.lists(st.tuples(st.sampled_from(("daemon", "save", "edit", "delete")), st.integers(0, 3)), max_size=12))
def test_any_sequence_of_dashboard_and_daemon_writes_keeps_history_and_personal_notes(
    steps: list[tuple[str, int]],
) -> None:
    """The daemon writes last; revisions count only its own changes, not replaced, edited or deleted rows."""
    stored, own_copy, text = None, None, ""
    reported: list[float] = []
    for writer, number in (*steps, ("daemon", 0)):
        if writer == "daemon":
            stored = own_copy = written(computed(mrr=float(number)), stored, own_copy).row
            if not reported or reported[-1] != float(number):
                reported.append(float(number))
        elif writer == "save":
            stored, text = dashboards(f"testo {number}"), f"testo {number}"
        elif writer == "edit" and stored is not None:
            stored, text = {**stored, "notes": f"mano {number}"}, f"mano {number}"
        elif writer == "delete":
            stored, text = None, ""

    assert stored is not None
    assert stored["notes"] == (text or "nota")
    assert stored["revision"] == len(reported) - 1
    assert stored.get("first_reported", stored)["mrr"] == reported[0]
    assert set(stored.get("first_reported", {})) <= {*REPORTED, "updated_at"}


@pytest.mark.parametrize(
    ("counted", "remaining", "has_older", "deleted"),
    [(0, 0, False, False), (3, 3, False, False), (3, 0, True, True), (3, 2, False, True), (3, 2, True, False)],
)
def test_events_were_deleted_if_the_oldest_are_missing(
    counted: int, remaining: int, has_older: bool, deleted: bool
) -> None:
    assert amendment.events_were_deleted({"auto_events_total": counted}, remaining, has_older) is deleted
    assert amendment.events_were_deleted(None, remaining, has_older) is False


def test_the_daemons_note_is_updated_also_in_a_replaced_row() -> None:
    own = written(computed()).row
    saved = dashboards("nota", "Nuovo cliente: Ada")

    assert written(computed(auto_notes="nuova"), own, own).row["notes"] == "nuova"
    assert written(computed(auto_notes="nuova"), saved, own).row["notes"] == "nuova"
    assert written(computed(auto_notes="nuova"), {**own, "notes": "mia"}, own).row["notes"] == "mia"


@pytest.mark.parametrize("odd", [["a", "list"], {"a": 1}, 7, None, float("nan")])
def test_a_row_with_invalid_fields_is_still_written(odd: Any) -> None:
    strange = {**dashboards("x"), "notes": odd, "auto_events": odd, "revision": odd, "mrr": odd, "auto_notes": odd}
    if isinstance(odd, int):
        del strange["revision"]
    done = written(computed(), strange, None)

    assert (done.row["mrr"], done.row["revision"], done.row["auto_notes"]) == (7.99, 0, "nota")
    unchanged = written(computed(), {**strange, "auto_notes": "old"}, None)
    assert unchanged.row["notes"] == (odd or "nota") or odd != odd
