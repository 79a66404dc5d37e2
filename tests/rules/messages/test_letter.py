"""The letter of a month, from values."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.messages.letter import letter
from rules.messages.letter.facts import NUMBERS, Day, LimitedSale, MonthFacts
from rules.messages.letter.letter import Letter
from rules.messages.letter.pieces import plain
from rules.messages.letter.waterfall import WIDTH, Step, waterfall
from rules.rows import number_names
from rules.settings import italian, letter_texts

NOVEMBER = date(2026, 11, 1)
MOVED = {"new": 183.7, "expansion": 49.91, "contraction": -12.0, "churn": -43.2, "reactivation": 7.99}
BEFORE = {"total_customers": 479, "paying_customers": 323, "active_licenses": 395, "subscribers": 327}
FEW = {**BEFORE, "subscribers": 9}


def moved(**amounts: float) -> dict[str, Any]:
    return {str(kind): {"count": 1, "amount": amounts.get(str(kind), 0.0)} for kind in letter_texts.MOVEMENTS}


def row(**more: Any) -> dict[str, Any]:
    return {
        "mrr": 2890.34,
        "mrr_movements": moved(**MOVED),
        "total_customers": 503,
        "paying_customers": 341,
        "active_licenses": 395,
        "new_customers": 24,
        "churned_customers": 5,
        "reactivated_customers": 1,
        "customer_churn_rate": 0.015291,
        "net_revenue_retention": 1.001,
        "quick_ratio": 4.4,
        "one_time_revenue": 87.0,
        "revenue_by_plan": {"agency": {"revenue": 1459.27, "count": 73}, "founders": {"revenue": 2900.0, "count": 9}},
        **more,
    }


def composed(**more: Any) -> Letter:
    facts = {"row": row(), "before": BEFORE, "plans": {"agency": "Agency"}, **more}
    return letter.compose(MonthFacts(NOVEMBER, **facts))


def prose(found: Letter) -> list[str]:
    return [
        " ".join(plain(sentence) for sentence in sentences).replace(italian.NBSP, " ") for sentences in found.paragraphs
    ]


@pytest.mark.parametrize(
    ("sale", "text"),
    [
        (LimitedSale("Founders Deal", 3, 468), "Founders Deal: 3 venduti, ne restano 468."),
        (LimitedSale("Founders Deal", 1, 1), "Founders Deal: 1 venduto, ne resta uno."),
        (LimitedSale("Founders Deal", 2, 0), "Founders Deal: 2 venduti, ora è esaurito."),
    ],
)
def test_the_sales_of_a_limited_plan_are_one_sentence(sale: LimitedSale, text: str) -> None:
    assert text in prose(composed(limited=[sale]))[3]


def test_a_whole_letter() -> None:
    found = composed()

    assert found.title == "Lettera di novembre 2026"
    assert found.headline.replace(italian.NBSP, " ") == "MRR da € 2.703,94 a € 2.890,34 (+6,9%)"
    assert prose(found) == [
        "Novembre 2026 si chiude in crescita: MRR a € 2.890,34 (+€ 186,40 rispetto a fine ottobre).",
        (
            "È entrato € 241,60: nuovi € 183,70, espansioni € 49,91, ritorni € 7,99. "
            "È uscito € 55,20: contrazioni € 12,00, abbandoni € 43,20."
        ),
        (
            "Sono arrivati 24 nuovi clienti. 5 clienti se ne sono andati (churn 1,5%, 5 su 327). 1 cliente è tornato. "
            "Clienti totali 503 (+24), paganti 341 (+18), licenze attive 395 (=)."
        ),
        "Il piano che porta di più è Agency: € 1.459,27 di MRR, 50% del totale. Vendite una tantum: € 87,00.",
        (
            "Retention netta (NRR) 100,1%, € 2.706,64 su € 2.703,94: chi c’era già oggi paga più di prima. "
            "Quick ratio 4,4: è il rapporto tra quanto è entrato e quanto è uscito."
        ),
    ]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"is_best": True}, "Novembre 2026 è stato il mese migliore finora"),
        ({"is_running": True}, "Novembre 2026 è in corso: MRR a € 2.890,34"),
        ({"row": row(measured_from="then")}, "Novembre 2026 è il primo mese con i conti"),
        ({"row": row(mrr_movements=moved(churn=-1.0))}, "Novembre 2026 si chiude in calo"),
        ({"row": row(mrr_movements=moved())}, "si chiude alla pari: MRR a € 2.890,34, come a fine ottobre."),
        ({"row": row(mrr_movements=moved())}, "Non è entrato nulla. Non è uscito nulla: nessun abbandono"),
        ({"row": row(new_customers=0, churned_customers=0)}, "Nessun nuovo cliente. Nessun cliente perso."),
        ({"row": row(new_customers=1, churned_customers=1)}, "È arrivato 1 nuovo cliente. 1 cliente se n’è andato"),
        ({"row": row(customer_churn_rate=None)}, "5 clienti se ne sono andati. 1"),
        ({"before": {}}, "5 clienti se ne sono andati. 1"),
        ({"before": {**BEFORE, "subscribers": 326}}, "5 clienti se ne sono andati. 1"),
        ({"before": FEW, "row": row(customer_churn_rate=0.555556)}, "5 clienti se ne sono andati (churn 5 su 9)."),
        (
            {"before": {**BEFORE, "subscribers": 10}, "row": row(customer_churn_rate=0.5)},
            "5 clienti se ne sono andati (churn 50,0%, 5 su 10).",
        ),
        ({"before": FEW}, "Retention netta (NRR) € 2.706,64 su € 2.703,94: chi c’era già oggi paga più di prima."),
        ({"before": {}}, "Retention netta (NRR) € 2.706,64 su € 2.703,94: chi c’era già oggi paga più di prima."),
        ({"before": {}}, "Clienti totali 503, paganti 341, licenze attive 395."),
        ({"row": row(net_revenue_retention=0.9)}, "chi c’era già paga meno di prima"),
        ({"row": row(net_revenue_retention=1.0001)}, "chi c’era già paga quanto prima"),
        ({"row": row(mrr_movements=None), "before": {"mrr": 2900.0}}, "si chiude in calo: MRR a € 2.890,34 (−€ 9,66"),
        ({"row": {"mrr": "much"}}, "Novembre 2026: MRR a –."),
    ],
)
def test_sentences(more: dict[str, Any], sentence: str) -> None:
    assert sentence in " ".join(prose(composed(**more)))


def test_a_letter_with_fewer_than_ten_subscribers_at_the_start_has_no_percentage_of_them() -> None:
    few = composed(before=FEW, row=row(customer_churn_rate=0.555556, revenue_by_plan={}))

    assert "%" not in few.headline + " ".join(prose(few))
    assert "%" in composed(before={**FEW, "subscribers": 10}).headline


def test_a_row_that_holds_anything_has_a_letter() -> None:
    odd: dict[str, Any] = dict(zip(row(), (None, [], {}, "x", float("nan"), True, -1) * 2, strict=False))

    assert composed(row=odd, before=odd).lines == ()
    assert composed(row={}).headline == ""


def test_every_number_of_the_prose_and_the_waterfall_has_a_name() -> None:
    found = composed()
    numbers = {piece.number for sentences in found.paragraphs for one in sentences for piece in one} - {""}

    assert all(number_names.field_of(number) for number in numbers | {line.amount.number for line in found.lines})
    assert {number_names.KINDS[name.removeprefix("movimenti.")]: name for name in NUMBERS.values()} == dict(
        zip(NUMBERS, NUMBERS.values(), strict=True)
    )


def test_lists_are_shortened_and_the_days_that_moved_most_come_first() -> None:
    days = [Day(date(2026, 11, day), cents, new=day) for day, cents in ((1, 5), (2, -7), (3, 9), (4, 1), (5, 6))]
    found = composed(days=days, marks=[f"Campagna {number}" for number in range(10)])

    assert [one.day.day for one in found.best_days] == [3, 5, 1]
    assert [(one.name, one.customers) for one in found.worst_days] == [("lunedì 2 novembre", "2 nuovi clienti")]
    assert (len(found.marks.items), found.marks.rest) == (letter.LISTED - 1, "… e ancora 5")


amounts = st.integers(-(10**7), 10**7)


@given(st.integers(0, 10**8), st.lists(amounts, max_size=6))
def test_bars_stay_in_the_box_and_follow_one_another(start: int, changes: list[int]) -> None:
    steps = [Step("start", start), *(Step("x", change) for change in changes), Step("end", start + sum(changes))]
    found = waterfall(steps)

    assert len(found.bars) == len(steps)
    for step, bar in zip(steps, found.bars, strict=True):
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert (bar.width > 0) == (step.cents != 0)
    if not found.is_cut and min(start, start + sum(changes)) >= 0 and start:
        assert found.bars[0].x == 0 or any(step.cents < 0 for step in steps[1:-1])


@given(st.integers(1, 10**8), st.integers(1, 10**6))
def test_a_change_is_as_long_as_the_difference_of_the_levels(start: int, change: int) -> None:
    first, middle, last = waterfall([Step("start", start), Step("new", change), Step("end", start + change)]).bars

    assert abs((last.x + last.width) - (middle.x + middle.width)) <= 1
    assert middle.x - (first.x + first.width) <= 1
