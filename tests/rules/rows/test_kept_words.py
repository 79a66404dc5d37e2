"""A final row keeps its words while its numbers and events are the same."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rules.rows.amendment import amend

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
NOTE, NEW_NOTE = "❌ Licenza cancellata: Pro, Ada", "😞 Licenza Pro cancellata: Ada"


def entry(kind: str = "license_cancelled", text: str = NOTE[2:], time: str = "12:00") -> dict[str, Any]:
    return {"type": kind, "description": text, "time": time, "customer_id": "1", "amount": None}


def row(note: str, *entries: dict[str, Any], mrr: float = 7.99, **more: Any) -> dict[str, Any]:
    events = {"auto_events": list(entries), "auto_events_total": len(entries)}
    return {"date": NOW, "period_type": "daily", "mrr": mrr, "auto_notes": note, **events, **more}


def closed(computed: dict[str, Any]) -> dict[str, Any]:
    return amend(computed, None, None, final=True, now=NOW).row


CHANGES = [
    (row(NEW_NOTE, entry(text=NEW_NOTE[2:])), NOTE, "another wording"),
    (row(NEW_NOTE, entry(text="Licenza Pro cancellata: Ada Rossi")), NOTE, "a renamed customer"),
    (row(NEW_NOTE, entry(text=NEW_NOTE[2:]), mrr=0.0), NEW_NOTE, "another number"),
    (row(NEW_NOTE, entry(), entry()), NEW_NOTE, "another event"),
    (row(NEW_NOTE, entry(time="12:01")), NEW_NOTE, "an event at another time"),
    (row(NEW_NOTE, entry("license_expired")), NEW_NOTE, "an event of another type"),
    (row(NEW_NOTE, entry(text="Licenza Pro cancellata: un cliente rimosso")), NEW_NOTE, "a forgotten customer"),
]


@pytest.mark.parametrize(("computed", "note", "why"), CHANGES, ids=[why for *_, why in CHANGES])
def test_only_a_change_of_the_facts_changes_the_words_of_a_final_row(
    computed: dict[str, Any], note: str, why: str
) -> None:
    before = closed(row(NOTE, entry()))
    done = amend(computed, before, before, final=True, now=NOW)

    assert (done.row["auto_notes"], done.row["notes"]) == (note, note), why
    assert done.row["revision"] == int(note == NEW_NOTE)
    assert done.row["auto_events"] == (before if note == NOTE else computed)["auto_events"]


def test_the_text_of_a_campaign_is_a_fact() -> None:
    before = closed(row("📢 Newsletter", entry("marketing_campaign", "Newsletter")))
    corrected = row("📢 Newsletter di novembre", entry("marketing_campaign", "Newsletter di novembre"))

    assert amend(corrected, before, before, final=True, now=NOW).row["auto_notes"] == "📢 Newsletter di novembre"


def test_a_running_day_has_the_new_words_at_once() -> None:
    before = amend(row(NOTE, entry()), None, None, final=False, now=NOW).row

    assert amend(row(NEW_NOTE, entry()), before, before, final=False, now=NOW).row["auto_notes"] == NEW_NOTE


def test_the_note_of_a_month_changes_only_with_a_number_in_it() -> None:
    monthly = {"period_type": "monthly"}
    before = closed(row("📅 Maggio • 🔄 Retention netta: 50.0%") | monthly)
    worded = row("📅 Maggio • 🔄 NRR: 50.0%") | monthly
    changed = row("📅 Maggio • 🔄 NRR: 51.0%") | monthly

    assert amend(worded, before, before, final=True, now=NOW).row["auto_notes"] == before["auto_notes"]
    assert amend(changed, before, before, final=True, now=NOW).row["auto_notes"] == changed["auto_notes"]
