"""Cost of a row: it depends on its days, not on the size of the shop; measured in documents examined by the server."""

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
from tests.shop_history import local, write_ledger


@pytest.mark.parametrize("age", [1, 12, 40])
def test_a_row_costs_the_server_the_same_however_large_the_shop_was_that_the_ledger_began_with(
    database: Database, age: int
) -> None:
    """In the first weeks, which have no rates, and later."""
    indexes.create(database)
    day = date(2025, 8, 20)
    costs = [_cost_of_rows(database, lines, day - age * business_days.ONE_DAY, day) for lines in (3, 3000)]

    assert costs[0] == costs[1]


def _cost_of_rows(database: Database, lines: int, first_day: date, day: date) -> dict[str, int]:
    """Return what the server examines for a final row, a live row and consecutive rows, with `lines` opening lines."""
    opening = [
        Movement(local(first_day), MovementKind.OPENING, Reason.BOOTSTRAP, str(n), licenses=1) for n in range(lines)
    ]
    news = [Movement(local(day, n), MovementKind.NEW, Reason.LICENSE_CREATED, str(n), "c", str(n)) for n in range(5)]
    database.analytics_ledger.delete_many({})
    write_ledger(database, [*opening, *news], Totals(), local(day, 12))
    builder = RowBuilder(database, Settings())
    return {
        "closed": examined(database, lambda: builder.build_row(periods.day(day))),
        "live": examined(database, lambda: builder.build_live_row(day)),
        "walk": examined(database, lambda: list(builder.build_days(day, day + business_days.ONE_DAY))),
    }
