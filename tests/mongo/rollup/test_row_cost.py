"""What a row costs: its days, not the shop; counted by the server, as no clock could prove it."""

from datetime import date

import pytest

from daemon.mongo.types import Database
from daemon.rollup.row_builder import RowBuilder
from daemon.store import indexes
from rules import business_days
from rules.model.ledger import Movement, MovementKind, Reason, Totals
from rules.rows import periods
from rules.settings.settings import Settings
from tests.server_cost import examined
from tests.shop_history import book, local


@pytest.mark.parametrize("age", [1, 12, 40])
def test_a_row_costs_the_server_the_same_however_large_the_shop_was_that_the_ledger_began_with(
    database: Database, age: int
) -> None:
    """In the first weeks, whose rates do not look back, and later."""
    indexes.create(database)
    day = date(2025, 8, 20)
    costs = [_cost_of_a_row(database, lines, day - age * business_days.ONE_DAY, day) for lines in (3, 3000)]

    assert costs[0] == costs[1]


def _cost_of_a_row(database: Database, lines: int, begun: date, day: date) -> dict[str, int]:
    """What the server looks at for a row that is closed, a live one, and a walk over days, by the opening's lines."""
    opening = [Movement(local(begun), MovementKind.OPENING, Reason.BOOTSTRAP, str(n), licenses=1) for n in range(lines)]
    news = [Movement(local(day, n), MovementKind.NEW, Reason.LICENSE_CREATED, str(n), "c", str(n)) for n in range(5)]
    database.analytics_ledger.delete_many({})
    book(database, [*opening, *news], Totals(), local(day, 12))
    rebuild = RowBuilder(database, Settings())
    return {
        "closed": examined(database, lambda: rebuild.row(periods.day(day))),
        "live": examined(database, lambda: rebuild.live(day)),
        "walk": examined(database, lambda: list(rebuild.days(day, day + business_days.ONE_DAY))),
    }
