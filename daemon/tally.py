"""How many gaps are open and documents held, as metrics: counted in the database, which a person may mend."""

from typing import Any

from pymongo.database import Database

from daemon import metrics
from daemon.store import gaps, letters


def show(database: Database[dict[str, Any]]) -> None:
    metrics.GAPS.set(gaps.count_open(database))
    metrics.DEAD_LETTERS.set(letters.count_held(database))
