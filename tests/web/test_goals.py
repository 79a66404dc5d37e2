"""Goals at the API, and marks with what came after them."""

from datetime import date, timedelta
from typing import Any

import httpx2
import pytest

from daemon.web.page import trend_texts
from daemon.web.page.charts import goals, marks
from rules.insights.goals import Progress
from rules.settings.goals import Goal, GoalMetric

TODAY = date(2026, 11, 26)
BY = date(2027, 3, 31)


REACHED = date(2026, 11, 8)


def progress(*ends: int, metric: str = "customers", value: int = 100, **more: Any) -> Progress:
    earlier = {30 * number: end for number, end in enumerate(ends)}
    return Progress(Goal(GoalMetric(metric), value, more.pop("by", BY)), ends[0], earlier, TODAY, **more)


def mrr(*euros: int, **more: Any) -> Progress:
    return progress(*(amount * 100 for amount in euros), metric="mrr", value=3000, **more)


CUSTOMER_PACES = {
    "Negli ultimi 60 giorni il numero è sceso (−15). Ritmo che serve: +5 al mese.": progress(80, 90, 95),
    "Nessuna crescita negli ultimi 60 giorni: a questo ritmo l’obiettivo non si raggiunge. "
    "Ritmo che serve: +5 al mese.": progress(80, 80, 80),
    "A questo ritmo servono più di dieci anni. Ritmo che serve: +240.000 al mese.": progress(1, 0, 0, value=10**6),
    "Troppo presto per una stima: giorni di dati 30 su 60.": progress(80, 79),
    "🎯 Obiettivo raggiunto l’8 novembre, con 143 giorni di anticipo!": progress(100, reached=REACHED),
    "🎯 Obiettivo raggiunto l’8 novembre, con 1 giorno di anticipo!": progress(
        100, reached=REACHED, by=date(2026, 11, 9)
    ),
    "🎯 Obiettivo raggiunto l’8 novembre, giusto in tempo!": progress(100, reached=REACHED, by=REACHED),
    "🎯 Obiettivo raggiunto l’8 novembre.": progress(100, reached=REACHED, by=date(2026, 11, 7)),
    "🎯 Obiettivo raggiunto!": progress(100),
    "Scadenza passata: 90 su 100 (90%).": progress(90, 80, 70, by=date(2026, 11, 25)),
    "Obiettivo raggiunto l’8 novembre, ma ora il numero è sceso a 90.": progress(90, 80, 70, reached=REACHED),
}
MRR_PACES = {
    "A questo ritmo ci arrivi tra il 26 dicembre e il 25 gennaio 2027: prima della scadenza.": mrr(2900, 2800, 2750),
    "A questo ritmo ci arrivi tra il 6 marzo 2027 e il 25 aprile 2027: la scadenza è il 31 marzo 2027.": mrr(
        2000, 1800, 1500
    ),
    "A questo ritmo ci arrivi non prima del 26 dicembre: la scadenza è il 31 marzo 2027.": mrr(2900, 2800, 2810),
    "A questo ritmo ci arrivi il 18 luglio 2028: dopo la scadenza. Ritmo che serve: +€\u00a0480,00 al mese.": mrr(
        1000, 900, 800
    ),
}


@pytest.mark.parametrize(("pace", "found"), [*CUSTOMER_PACES.items(), *MRR_PACES.items()])
def test_the_sentence_of_a_goal(pace: str, found: Progress) -> None:
    assert goals.goal_text(found).pace == pace


def test_a_goal_in_words() -> None:
    text = goals.goal_text(mrr(2900, 2800, 2750, by=TODAY + timedelta(1)))

    assert text.name == "MRR a €\u00a03.000,00 entro il 27 novembre"
    assert (text.progress, text.left) == ("€\u00a02.900,00 su €\u00a03.000,00 (96%)", "manca 1 giorno")
    assert "+€\u00a0100,00, +€\u00a050,00" in text.why
    assert goals.goal_text(progress(1, 0)).why == ""


CUSTOMERS = {TODAY - timedelta(ago): 100 - ago for ago in range(60)}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "+7 clienti nei 7 giorni dopo (7 nei 7 prima), non per forza per questo"),
        ({13: 81}, "+1 cliente nei 7 giorni dopo (7 nei 7 prima), non per forza per questo"),
        ({13: 78}, "−2 clienti nei 7 giorni dopo (7 nei 7 prima), non per forza per questo"),
        ({13: 80}, "nessun cliente in più nei 7 giorni dopo (7 nei 7 prima), non per forza per questo"),
        ({13: None}, ""),
        ({28: None}, ""),
    ],
)
def test_what_came_after_an_event_is_a_count_beside_the_count_before(changed: dict[int, int | None], text: str) -> None:
    known = {**CUSTOMERS, **{TODAY - timedelta(ago): count for ago, count in changed.items()}}
    found = {day: count for day, count in known.items() if count is not None}

    assert marks.after(TODAY - timedelta(20), TODAY, found) == text
    assert marks.after(TODAY - timedelta(6), TODAY, found) == trend_texts.TOO_EARLY.format(count=6, days=7)


def test_before_the_first_start_the_api_lists_no_goals(http_client: httpx2.Client) -> None:
    assert http_client.get("/api/goals").json() == {"success": True, "goals": []}
