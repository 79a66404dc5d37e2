"""Rows that the dashboard replaces and notes that people edit: rows are restored, personal notes are kept."""

from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from daemon.config.active import ActiveConfig
from daemon.demo.simulator import Dashboard
from daemon.rollup.rollup import Rollup
from daemon.store import row_copies, rows
from rules import business_days
from rules.rows.amendment import REPORTED
from tests.shop_history import ShopHistory, config_of, local, row_of


def dashboard_of(life: ShopHistory) -> Dashboard:
    dashboard = Dashboard(life.db, Random(1))
    dashboard.set_up(local(date(2025, 3, 14)))
    return dashboard


def test_a_row_replaced_by_save_today_is_restored_and_keeps_the_admins_note(life: ShopHistory) -> None:
    rollup, now = Rollup(life.db, ActiveConfig(config_of(life.db))), local(date(2025, 6, 30), 12)
    today = rollup.write_today(now)
    dashboard_of(life).save_today(now, notes="Chiamato il commercialista")
    replaced = row_of(life.db, date(2025, 6, 30))
    assert "revision" not in replaced
    assert rollup.today_was_changed(now)
    rollup.write_today(now)

    restored = row_of(life.db, date(2025, 6, 30))
    assert not rollup.today_was_changed(now)
    assert restored["notes"] == "Chiamato il commercialista"
    assert {name: restored[name] for name in REPORTED} == {name: today[name] for name in REPORTED}
    assert replaced["mrr"] != restored["mrr"], "the dashboard computes another number, so the rows differ"


def test_a_note_composed_by_the_dashboard_is_replaced_by_the_daemons(life: ShopHistory) -> None:
    rollup, now = Rollup(life.db, ActiveConfig(config_of(life.db))), local(date(2025, 6, 30), 12)
    life.customer(local(date(2025, 6, 30), 11), "elena")
    life.store(now)
    dashboard = dashboard_of(life)
    rollup.write_today(now)
    dashboard.save_today(now)
    assert row_of(life.db, date(2025, 6, 30))["notes"] == "Nuovo cliente: elena"
    life.customer(local(date(2025, 6, 30), 11, 30), "fabio")
    life.store(now)
    rollup.write_today(now)

    assert row_of(life.db, date(2025, 6, 30))["notes"] == "🎉 Nuovo cliente: elena • 🎉 Nuovo cliente: fabio"


def test_a_replaced_final_row_is_detected_and_restored_with_its_history(
    life: ShopHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    rollup, now = Rollup(life.db, ActiveConfig(config_of(life.db))), local(date(2025, 6, 30), 12)
    rollup.close_missing(now)
    life.license(local(date(2025, 6, 20), 9), "L-late", "dario")
    life.store(now, reopen=True)
    rollup.close_missing(now)
    before = row_of(life.db, date(2025, 6, 25))
    dashboard_of(life).save_today(local(date(2025, 6, 25), 18), notes="Ferie")
    capsys.readouterr()

    assert rollup.close_missing(now) == [date(2025, 6, 25)]
    after = row_of(life.db, date(2025, 6, 25))
    assert (after["final"], after["revision"], after["notes"]) == (True, 1, "Ferie")
    assert after["first_reported"] == before["first_reported"]
    assert {name: after[name] for name in REPORTED} == {name: before[name] for name in REPORTED}
    assert "row.restored" in capsys.readouterr().out
    assert rollup.close_missing(now) == []


def test_a_note_edited_by_hand_survives_every_write_until_it_is_emptied(life: ShopHistory) -> None:
    rollup, now, day = (
        Rollup(life.db, ActiveConfig(config_of(life.db))),
        local(date(2025, 6, 30), 12),
        date(2025, 5, 11),
    )
    rollup.close_missing(now)
    dashboard = dashboard_of(life)
    dashboard.edit_note(now, business_days.stored(day), "Il giorno del Founders")
    life.license(local(day, 9), "L-late", "dario")
    life.store(now, reopen=True)
    rollup.close_missing(now)
    edited = row_of(life.db, day)
    dashboard.edit_note(now, business_days.stored(day), "")
    rollup.write(day, final=True)

    assert (edited["notes"], edited["revision"]) == ("Il giorno del Founders", 1)
    assert row_of(life.db, day)["notes"] == edited["auto_notes"]


def test_a_note_edited_while_the_row_is_being_written_is_not_lost(
    life: ShopHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollup, now = Rollup(life.db, ActiveConfig(config_of(life.db))), local(date(2025, 6, 30), 12)
    rollup.write_today(now)
    dashboard = dashboard_of(life)
    put, attempts = rows._replace, []

    def edited_first(*arguments: Any) -> bool:
        attempts.append(1)
        if len(attempts) == 1:
            dashboard.edit_note(now + timedelta(seconds=1), business_days.stored(date(2025, 6, 30)), "Scritto ora")
        return put(*arguments)

    life.customer(local(date(2025, 6, 30), 11), "elena")
    life.store(now)
    monkeypatch.setattr(rows, "_replace", edited_first)
    rollup.write_today(now)

    row = row_of(life.db, date(2025, 6, 30))
    assert (row["notes"], row["total_customers"], len(attempts)) == ("Scritto ora", 5, 2)


def test_a_day_whose_events_were_deleted_keeps_its_note_and_its_true_numbers(life: ShopHistory) -> None:
    rollup, now = Rollup(life.db, ActiveConfig(config_of(life.db))), local(date(2025, 6, 30), 12)
    rollup.close_missing(now)
    whole = {row["date"]: row for row in rows.read(life.db, date.min, date.max)}
    old = {"event_date": {"$lt": local(date(2025, 3, 30), 3)}}
    life.db.business_events.delete_many(old)
    life.license(local(date(2025, 3, 15), 9), "L-late", "carla")
    life.store(now, reopen=True)
    life.db.business_events.delete_many(old)
    rollup.close_missing(now)

    rebuilt = {row["date"]: row for row in rows.read(life.db, date.min, date.max)}
    assert {d: row["auto_notes"] for d, row in rebuilt.items()} == {d: row["auto_notes"] for d, row in whole.items()}
    assert rebuilt[business_days.stored(date(2025, 3, 30))]["auto_events_total"] == 2, "half of that day's were deleted"
    assert {row["revision"] for row in rebuilt.values()} == {0, 1}
    assert all(b["mrr"] >= a["mrr"] for a, b in pairwise([whole[max(whole)], rebuilt[max(rebuilt)]]))


def test_a_withdrawn_event_leaves_the_note(life: ShopHistory) -> None:
    rollup, now = Rollup(life.db, ActiveConfig(config_of(life.db))), local(date(2025, 6, 30), 12)
    rollup.close_missing(now)
    life.db.business_events.delete_one({"license_id": "F", "event_type": "payment_completed"})

    assert "Pagamento" in row_of(life.db, date(2025, 5, 11))["auto_notes"]
    assert rollup.row(date(2025, 5, 11))["auto_notes"] == "🎫 Nuova licenza Founders: ada"


# Notes that the dashboard composed, comments, emptied notes

COMPOSED = "🎉 6 nuovi clienti registrati • 💰 5 pagamenti completati (€19.95)"
TODAY, CLOSED = date(2025, 6, 30), date(2025, 5, 11)


def note_of(life: ShopHistory, day: date) -> str:
    note: str = row_of(life.db, day)["notes"]
    return note


def test_a_comment_stays_behind_todays_note_through_refreshes_and_another_save(life: ShopHistory) -> None:
    rollup, now, dashboard = Rollup(life.db, ActiveConfig(config_of(life.db))), local(TODAY, 12), dashboard_of(life)
    dashboard.save_today(now, notes=f"{COMPOSED} | Ferie")
    assert rollup.today_was_changed(now)
    rollup.write_today(now)
    assert (note_of(life, TODAY), rollup.today_was_changed(now)) == ("Ferie", False), "the day has no event yet"
    dashboard.edit_note(now, business_days.stored(TODAY), "")
    rollup.write_today(now)
    life.customer(local(TODAY, 11), "elena")
    life.store(now)
    dashboard.save_today(now, notes=f"{COMPOSED} | Ferie")
    rollup.write_today(now)
    first = note_of(life, TODAY)
    life.customer(local(TODAY, 11, 30), "fabio")
    life.store(now)
    rollup.write_today(now)
    second = note_of(life, TODAY)
    dashboard.save_today(now, notes=COMPOSED)
    rollup.write_today(now)

    assert first == "🎉 Nuovo cliente: elena | Ferie"
    assert second == "🎉 Nuovo cliente: elena • 🎉 Nuovo cliente: fabio | Ferie"
    assert note_of(life, TODAY) == second, "a save without a text keeps the comment"


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        (COMPOSED, ""),
        (f"{COMPOSED} | Dati raccolti automaticamente via cron job", ""),
        ("Initial data snapshot", ""),
        (f"{COMPOSED} | Il giorno del Founders", " | Il giorno del Founders"),
        ("", ""),
    ],
)
def test_on_a_closed_row_a_composed_or_emptied_note_gives_way_without_a_revision(
    life: ShopHistory, text: str, comment: str
) -> None:
    rollup, now, dashboard = Rollup(life.db, ActiveConfig(config_of(life.db))), local(TODAY, 12), dashboard_of(life)
    rollup.close_missing(now)
    before = row_of(life.db, CLOSED)
    dashboard.edit_note(now, business_days.stored(CLOSED), text)
    rollup.close_missing(now)
    after = row_of(life.db, CLOSED)
    life.license(local(CLOSED, 9), "L-late", "dario")
    life.store(now, reopen=True)
    rollup.close_missing(now)
    amended = row_of(life.db, CLOSED)

    assert after["notes"] == before["notes"] + comment
    assert (after["revision"], "first_reported" in after) == (0, False)
    assert (amended["notes"], amended["revision"]) == (amended["auto_notes"] + comment, 1)


def test_on_a_closed_row_a_persons_note_is_left_alone_and_nothing_is_written(life: ShopHistory) -> None:
    rollup, now, dashboard = Rollup(life.db, ActiveConfig(config_of(life.db))), local(TODAY, 12), dashboard_of(life)
    rollup.close_missing(now)
    dashboard.edit_note(now, business_days.stored(CLOSED), f"Ferie | {COMPOSED}")
    edited = row_of(life.db, CLOSED)
    rollup.close_missing(now)

    assert row_of(life.db, CLOSED) == edited


def test_a_closed_row_that_save_today_replaced_keeps_the_comment(life: ShopHistory) -> None:
    rollup, now, dashboard = Rollup(life.db, ActiveConfig(config_of(life.db))), local(TODAY, 12), dashboard_of(life)
    rollup.close_missing(now)
    note = note_of(life, CLOSED)
    dashboard.edit_note(now, business_days.stored(CLOSED), f"{note} | Founders")
    rollup.close_missing(now)
    dashboard.save_today(local(CLOSED, 18), notes=COMPOSED)
    rollup.close_missing(now)

    assert (note_of(life, CLOSED), row_of(life.db, CLOSED)["revision"]) == (f"{note} | Founders", 0)


# A crash between the row and its copy


def copy_of(life: ShopHistory, day: date) -> dict[str, Any]:
    copy = life.db.analytics_rows.find_one({"_id.date": business_days.stored(day)})
    assert copy is not None
    return copy


def assert_copy_equals_row(life: ShopHistory, day: date) -> None:
    row, copy = row_of(life.db, day), copy_of(life, day)
    assert {k: v for k, v in copy.items() if k not in ("_id", *row_copies.WRITE_TIMES)} == {
        k: v for k, v in row.items() if k not in ("_id", *row_copies.WRITE_TIMES)
    }


@pytest.mark.parametrize("killed_at", [(rows, "_replace"), (row_copies, "remember")], ids=["row", "copy"])
def test_after_a_crash_between_row_and_copy_the_next_write_makes_them_equal(
    life: ShopHistory, monkeypatch: pytest.MonkeyPatch, killed_at: tuple[Any, str]
) -> None:
    rollup, now = Rollup(life.db, ActiveConfig(config_of(life.db))), local(TODAY, 12)
    rollup.close_missing(now)
    reported = row_of(life.db, CLOSED)["mrr"]
    life.license(local(CLOSED, 9), "L-late", "dario")
    life.store(now, reopen=True)

    def killed(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash, pytest.raises(KeyboardInterrupt):
        crash.setattr(*killed_at, killed)
        rollup.close_missing(now)
    rollup.close_missing(now)
    assert_copy_equals_row(life, CLOSED)
    dashboard_of(life).save_today(local(CLOSED, 18), notes=COMPOSED)
    rollup.close_missing(now)

    row = row_of(life.db, CLOSED)
    assert (row["revision"], row["first_reported"]["mrr"]) == (1, reported)
    assert_copy_equals_row(life, CLOSED)


def test_a_copy_that_an_older_version_left_behind_is_made_equal_by_the_next_write(life: ShopHistory) -> None:
    rollup, now = Rollup(life.db, ActiveConfig(config_of(life.db))), local(TODAY, 12)
    rollup.close_missing(now)
    old = copy_of(life, CLOSED)
    life.license(local(CLOSED, 9), "L-late", "dario")
    life.store(now, reopen=True)
    rollup.close_missing(now)
    life.db.analytics_rows.replace_one({"_id": old["_id"]}, {k: v for k, v in old.items() if k != "notes"})
    rollup.write(CLOSED, final=True)

    assert row_of(life.db, CLOSED)["revision"] == 1
    assert_copy_equals_row(life, CLOSED)
