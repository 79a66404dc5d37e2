"""The message of the morning, in full."""

from datetime import date, timedelta

import pytest

from rules.messages import corrections, digest
from rules.messages.digest import Morning
from rules.messages.model import PeriodNumbers
from rules.model.facts import Difference, RowFact

THURSDAY = date(2026, 11, 26)
NUMBERS = {"mrr_cents": 289034, "total_customers": 503, "paying_customers": 341, "active_licenses": 395}
BEFORE = {"mrr_cents": 292026, "total_customers": 500, "paying_customers": 341, "active_licenses": 396}


def day(at: date = THURSDAY, facts: tuple[str, ...] = ("💰 Pagamento ricevuto: €2.99",), new: int = 3) -> PeriodNumbers:
    return PeriodNumbers(at, at, NUMBERS, BEFORE, facts, new)


def test_a_day_has_its_numbers_with_their_change_and_its_facts() -> None:
    found = digest.message(Morning(date(2026, 11, 27), (day(),)))

    assert found is not None
    assert found.key == "morning-2026-11-26"
    assert found.subject == "gio 26 nov: MRR €\xa02.890,34 (−€\xa029,92), 3 nuovi clienti"
    assert found.text.splitlines() == [
        "📅 Giovedì 26 novembre",
        "MRR: €\xa02.890,34 (−€\xa029,92)",
        "Clienti totali: 503 (+3)",
        "Clienti paganti: 341 (=)",
        "Licenze attive: 395 (−1)",
        "💰 Pagamento ricevuto: €\xa02,99",
    ]


def test_a_day_without_event_and_change_is_silent_unless_asked_for() -> None:
    quiet = Morning(date(2026, 11, 27), (PeriodNumbers(THURSDAY, THURSDAY, NUMBERS, NUMBERS),))

    assert digest.message(quiet) is None
    found = digest.message(quiet, silent_days=True)
    assert found is not None
    assert found.subject == "gio 26 nov: giornata tranquilla, MRR €\xa02.890,34"
    assert found.text.endswith("Giornata tranquilla: nessun evento.")


def test_a_quiet_day_after_an_eventful_one_is_silent() -> None:
    """What the day before counted, such as its new customers, is no level that could change."""
    eventful = {**NUMBERS, "new_customers": 3, "churned_customers": 1, "one_time_revenue_cents": 19900}
    nothing = dict.fromkeys(("new_customers", "churned_customers", "one_time_revenue_cents"), 0)
    quiet = PeriodNumbers(THURSDAY, THURSDAY, {**NUMBERS, **nothing}, eventful)

    assert digest.message(Morning(date(2026, 11, 27), (quiet,))) is None
    replaced = quiet._replace(numbers={**NUMBERS, **nothing, "new_customers": 1, "churned_customers": 1})
    assert digest.message(Morning(date(2026, 11, 27), (replaced,))) is not None


def test_a_number_that_changed_without_an_event_is_no_quiet_day() -> None:
    assert digest.message(Morning(date(2026, 11, 27), (day(facts=(), new=0),))) is not None


def test_several_days_that_became_final_late_are_one_line_each() -> None:
    found = digest.message(Morning(date(2026, 11, 27), (day(date(2026, 11, 25)), day())))

    assert found is not None
    assert [line[:12] for line in found.text.splitlines()] == ["📅 mer 25 nov", "📅 gio 26 nov"]
    assert found.subject.startswith("25–26 nov: MRR €\xa02.890,34 (−€\xa029,92)")


def test_corrections_come_first_and_are_sent_alone_too() -> None:
    rows = [RowFact(date(2026, 11, 20), 1, changes=(Difference("mrr_cents", 1000, 900),))]
    corrected = tuple(corrections.net(rows, THURSDAY))

    both = digest.message(Morning(date(2026, 11, 27), (day(),), corrected=corrected))
    alone = digest.message(Morning(date(2026, 11, 27), corrected=corrected))
    assert both is not None
    assert both.text.splitlines()[0] == "✏️ Rettifica del 20 novembre: MRR €\xa010,00 → €\xa09,00"
    assert alone is not None
    assert alone.subject == "✏️ Rettifica del 20 novembre: MRR €\xa010,00 → €\xa09,00"


@pytest.mark.parametrize(
    ("days", "months", "subject"),
    [
        ([], [1], "✏️ Rettifica di novembre 2026: MRR €\xa010,00 → €\xa09,00"),
        ([20], [1], "✏️ Rettifica di 1 giorno e 1 mese"),
        ([20, 21], [], "✏️ Rettifica di 2 giorni"),
        ([20, 21], [1], "✏️ Rettifica di 2 giorni e 1 mese"),
    ],
)
def test_the_subject_of_corrections_counts_days_and_months(days: list[int], months: list[int], subject: str) -> None:
    change = (Difference("mrr_cents", 1000, 900),)
    rows = [
        RowFact(date(2026, 11, day), 1, month, change) for month, of in ((False, days), (True, months)) for day in of
    ]
    found = digest.message(Morning(date(2026, 11, 27), corrected=tuple(corrections.net(rows, THURSDAY))))

    assert found is not None
    assert found.subject == subject


def test_the_week_and_the_month_have_their_own_blocks() -> None:
    week = PeriodNumbers(date(2026, 11, 23), date(2026, 11, 29), NUMBERS, BEFORE)
    month = PeriodNumbers(date(2026, 11, 1), date(2026, 11, 30), NUMBERS, BEFORE, interrupted=720)

    found = digest.message(Morning(date(2026, 12, 1), weeks=(week,), months=(month,)))
    assert found is not None
    assert found.subject.startswith("Novembre 2026: MRR")
    assert "📅 Settimana 23–29 novembre" in found.text
    assert found.text.endswith("⚠️ Numeri forse incompleti: c’è stata un’interruzione di 12 minuti.")


def test_at_most_twelve_facts_are_listed() -> None:
    found = digest.message(Morning(date(2026, 11, 27), (day(facts=tuple(f"🎉 {count}" for count in range(40))),)))

    assert found is not None
    assert found.text.splitlines()[-1] == "… e altri 29 eventi"
    assert len(found.text.splitlines()) == 5 + 12


def test_after_a_long_pause_the_newest_periods_are_listed_and_all_others_counted() -> None:
    days = [THURSDAY - timedelta(days=count) for count in range(300, -1, -1)]
    rows = [RowFact(one, 1, changes=(Difference("mrr_cents", 1000, 900 + number),)) for number, one in enumerate(days)]
    found = digest.message(
        Morning(
            date(2026, 11, 27),
            tuple(map(day, days)),
            weeks=tuple(map(day, days[::7])),
            months=tuple(map(day, days[::30])),
            corrected=tuple(corrections.net(rows, THURSDAY)),
        )
    )

    assert found is not None
    lines = found.text.splitlines()
    assert [line for line in lines if line.startswith("…")] == [
        "… e altre 29 rettifiche",
        "… e altri 291 giorni precedenti",
        "… e altre 40 settimane precedenti",
        "… e altri 8 mesi precedenti",
    ]
    assert lines[18].startswith("📅 gio 26 nov")
    assert len(lines) < 70
