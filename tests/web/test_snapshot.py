"""All numbers of one answer come from one snapshot: what is written after it was opened is not shown."""

from datetime import date

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.web.context import WebContext
from daemon.web.page.charts.history import Wanted, history
from daemon.web.page.parts import letter
from daemon.web.page.snapshot import open_snapshot
from tests import shop
from tests.shop_history import ShopHistory, local
from tests.web.test_months import MAY, life

__all__ = ["life"]


def test_marks_and_gaps_of_a_chart_and_a_letter_are_those_of_the_snapshot(
    mongo_uri: str, database: Database, life: ShopHistory
) -> None:
    context = WebContext(database, ActiveConfig(shop.config_for(mongo_uri, database)), Health())
    at = local(date(2025, 5, 12), 10)
    with open_snapshot(context) as snapshot:
        database.business_events.insert_one(
            {"event_type": "partnership", "event_date": at, "description": "Dopo", "created_at": clock.now()}
        )
        gap = {"cause": "history_lost", "opened_at": at, "since": at, "until": at, "closed_at": at, "recovered": {}}
        database.analytics_gaps.insert_one(gap)
        before, letter_before = history(snapshot, Wanted(days=None)), letter.read(snapshot, MAY, "")
    with open_snapshot(context) as snapshot:
        after, letter_after = history(snapshot, Wanted(days=None)), letter.read(snapshot, MAY, "")

    assert before.chart and after.chart and letter_before and letter_after
    assert (len(before.marked), len(before.chart.bands)) == (0, 0)
    assert (len(after.marked), len(after.chart.bands)) == (1, 1)
    assert "Dopo" not in str(letter_before.letter)
    assert "Dopo" in str(letter_after.letter)
