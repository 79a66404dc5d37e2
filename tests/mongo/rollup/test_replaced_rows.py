"""Rows that others write or replace, and notes that people edit: ours heals, theirs stays."""

from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from daemon.demo.simulator import Dashboard
from daemon.rollup.rollup import Rollup
from daemon.store import rows
from rules import business_days
from rules.rows.amendment import REPORTED
from tests.shop_history import Life, config_of, local, row_of


def dashboard_of(life: Life) -> Dashboard:
    made = Dashboard(life.db, Random(1))
    made.set_up(local(date(2025, 3, 14)))
    return made


def test_save_today_is_healed_at_the_next_write_and_keeps_what_the_admin_wrote(life: Life) -> None:
    nightly, now = Rollup(life.db, config_of(life.db)), local(date(2025, 6, 30), 12)
    today = nightly.write_today(now)
    dashboard_of(life).save_today(now, notes="Chiamato il commercialista")
    replaced = row_of(life.db, date(2025, 6, 30))
    assert "revision" not in replaced
    assert nightly.today_was_replaced(now)
    nightly.write_today(now)

    healed = row_of(life.db, date(2025, 6, 30))
    assert not nightly.today_was_replaced(now)
    assert healed["notes"] == "Chiamato il commercialista"
    assert {name: healed[name] for name in REPORTED} == {name: today[name] for name in REPORTED}
    assert replaced["mrr"] != healed["mrr"], "the dashboard counts otherwise, so the test can tell them apart"


def test_a_note_the_dashboard_made_of_the_events_is_nobodys_text_and_gives_way_to_ours(life: Life) -> None:
    nightly, now = Rollup(life.db, config_of(life.db)), local(date(2025, 6, 30), 12)
    life.customer(local(date(2025, 6, 30), 11), "elena")
    life.store(now)
    dashboard = dashboard_of(life)
    nightly.write_today(now)
    dashboard.save_today(now)
    assert row_of(life.db, date(2025, 6, 30))["notes"] == "Nuovo cliente: elena"
    life.customer(local(date(2025, 6, 30), 11, 30), "fabio")
    life.store(now)
    nightly.write_today(now)

    assert row_of(life.db, date(2025, 6, 30))["notes"] == "🎉 Nuovo cliente: elena • 🎉 Nuovo cliente: fabio"


def test_a_final_row_that_the_dashboard_replaced_is_noticed_and_healed_with_its_history(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    nightly, now = Rollup(life.db, config_of(life.db)), local(date(2025, 6, 30), 12)
    nightly.close_missing(now)
    life.license(local(date(2025, 6, 20), 9), "L-late", "dario")
    life.store(now, reopen=True)
    nightly.close_missing(now)
    before = row_of(life.db, date(2025, 6, 25))
    dashboard_of(life).save_today(local(date(2025, 6, 25), 18), notes="Ferie")
    capsys.readouterr()

    assert nightly.close_missing(now) == [date(2025, 6, 25)]
    after = row_of(life.db, date(2025, 6, 25))
    assert (after["final"], after["revision"], after["notes"]) == (True, 1, "Ferie")
    assert after["first_reported"] == before["first_reported"]
    assert {name: after[name] for name in REPORTED} == {name: before[name] for name in REPORTED}
    assert "row.restored" in capsys.readouterr().out
    assert nightly.close_missing(now) == []


def test_a_note_edited_by_hand_survives_every_write_until_it_is_emptied(life: Life) -> None:
    nightly, now, day = Rollup(life.db, config_of(life.db)), local(date(2025, 6, 30), 12), date(2025, 5, 11)
    nightly.close_missing(now)
    dashboard = dashboard_of(life)
    dashboard.edit_note(now, business_days.stored(day), "Il giorno del Founders")
    life.license(local(day, 9), "L-late", "dario")
    life.store(now, reopen=True)
    nightly.close_missing(now)
    edited = row_of(life.db, day)
    dashboard.edit_note(now, business_days.stored(day), "")
    nightly.write(day, final=True)

    assert (edited["notes"], edited["revision"]) == ("Il giorno del Founders", 1)
    assert row_of(life.db, day)["notes"] == edited["auto_notes"]


def test_a_note_edited_while_the_row_is_being_written_is_not_lost(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    nightly, now = Rollup(life.db, config_of(life.db)), local(date(2025, 6, 30), 12)
    nightly.write_today(now)
    dashboard = dashboard_of(life)
    put, attempts = rows._put, []

    def edited_first(*arguments: Any) -> bool:
        attempts.append(1)
        if len(attempts) == 1:
            dashboard.edit_note(now + timedelta(seconds=1), business_days.stored(date(2025, 6, 30)), "Scritto ora")
        return put(*arguments)

    life.customer(local(date(2025, 6, 30), 11), "elena")
    life.store(now)
    monkeypatch.setattr(rows, "_put", edited_first)
    nightly.write_today(now)

    row = row_of(life.db, date(2025, 6, 30))
    assert (row["notes"], row["total_customers"], len(attempts)) == ("Scritto ora", 5, 2)


def test_a_day_whose_events_were_deleted_keeps_its_note_and_its_true_numbers(life: Life) -> None:
    nightly, now = Rollup(life.db, config_of(life.db)), local(date(2025, 6, 30), 12)
    nightly.close_missing(now)
    whole = {row["date"]: row for row in rows.read(life.db, date.min, date.max)}
    old = {"event_date": {"$lt": local(date(2025, 3, 30), 3)}}
    life.db.business_events.delete_many(old)
    life.license(local(date(2025, 3, 15), 9), "L-late", "carla")
    life.store(now, reopen=True)
    life.db.business_events.delete_many(old)
    nightly.close_missing(now)

    rebuilt = {row["date"]: row for row in rows.read(life.db, date.min, date.max)}
    assert {d: row["auto_notes"] for d, row in rebuilt.items()} == {d: row["auto_notes"] for d, row in whole.items()}
    assert rebuilt[business_days.stored(date(2025, 3, 30))]["auto_events_total"] == 2, "half of that day's were deleted"
    assert {row["revision"] for row in rebuilt.values()} == {0, 1}
    assert all(b["mrr"] >= a["mrr"] for a, b in pairwise([whole[max(whole)], rebuilt[max(rebuilt)]]))


def test_an_event_that_was_taken_back_leaves_the_note(life: Life) -> None:
    nightly, now = Rollup(life.db, config_of(life.db)), local(date(2025, 6, 30), 12)
    nightly.close_missing(now)
    life.db.business_events.delete_one({"license_id": "F", "event_type": "payment_completed"})

    assert "Pagamento" in row_of(life.db, date(2025, 5, 11))["auto_notes"]
    assert nightly.row(date(2025, 5, 11))["auto_notes"] == "🎫 Nuova licenza Founders: ada"
