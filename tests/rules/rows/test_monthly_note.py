"""The note of a month: correct numbers on one line of limited length."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.ledger import MovementKind, Totals
from rules.revenue.day_sums import DaySums, KindSum
from rules.rows import monthly_note, periods
from rules.rows.number_values import NAMES
from rules.rows.period_data import PeriodData
from rules.settings.catalog import SEPARATOR
from rules.settings.settings import Settings

MAY = periods.month(date(2025, 5, 7))
NUMBERS = st.integers(-(10**9), 10**9)


def test_a_month_without_movements_shows_its_totals() -> None:
    note = monthly_note.note(MAY, PeriodData(Totals(customers=3, paying_customers=2, mrr_cents=1598)), Settings())

    assert note == ("📅 Maggio 2025: clienti 3 (=), paganti 2 (=) • 📈 MRR €15.98 (=) • 🎫 Nuove licenze: 0")


def test_a_month_with_losses_shows_them() -> None:
    churn = {MovementKind.CHURN: KindSum(2, -1598)}
    sums = DaySums(customers=-1, paying_customers=-2, subscribers=-2, mrr_cents=-1598, cancellations=2, by_kind=churn)
    sums.churned_customers = 2
    totals = Totals(customers=3, paying_customers=1, subscribers=2, mrr_cents=1598)

    assert monthly_note.note(MAY, PeriodData(totals, sums, rates_sums=sums), Settings()).split(SEPARATOR) == [
        "📅 Maggio 2025: clienti 3 (-1), paganti 1 (-2)",
        "📉 MRR €15.98 (-€15.98)",
        "🎫 Nuove licenze: 0",
        "😞 Cancellazioni: 2",
        "😞 Clienti persi: 2 (churn 50.0%)",
        "🔄 NRR: 50.0%",
    ]


def test_a_month_counted_from_its_middle_names_the_day_in_the_shops_own_zone() -> None:
    begun = datetime(2025, 5, 13, 22, 30, tzinfo=UTC)

    assert monthly_note.note(MAY, PeriodData(measured_from=begun), Settings()).startswith(
        "📅 Maggio 2025 (dal giorno 14): "
    )


def test_configured_texts_and_emoji_are_used() -> None:
    settings = Settings(texts={"month_sales": "Vendute {value}"}, emojis={"summary": "🗓️"})
    note = monthly_note.note(MAY, PeriodData(sums=DaySums(sales=4)), settings)

    assert note.startswith("🗓️ Maggio 2025")
    assert " Vendute 4" in note


@given(st.builds(DaySums, *[NUMBERS] * 10), st.builds(Totals, NUMBERS, NUMBERS, NUMBERS, NUMBERS), st.integers(80, 200))
def test_a_months_note_is_one_line_within_its_length_and_every_part_can_be_explained(
    sums: DaySums, totals: Totals, length: int
) -> None:
    settings, known = Settings(note_length=length), PeriodData(totals, sums, rates_sums=sums)
    note = monthly_note.note(MAY, known, settings)

    assert len(note) <= length
    assert note.splitlines() == [note]
    assert {name for part in monthly_note.parts(MAY, known, settings) for name in part.numbers} <= set(NAMES)


@pytest.mark.parametrize(("share", "shown"), [(None, "n.d."), (0.0314, "3.1%"), (1.2856, "128.6%"), (0.0, "0.0%")])
def test_shares_are_shown_as_percentages(share: float | None, shown: str) -> None:
    assert monthly_note.percent(share) == shown
