"""Queries for the newest of a million events, as the dashboard's table and the page make them."""

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bench import shop, state
from bench.measures import Bench, Row
from bench.server import Server
from bench.subject import ready
from daemon.store.documents import event_document
from rules.model.events import Event, EventType

EVENTS = 1_000_000
STOCK = 1000
CHUNK = 10_000
DAYS = 90
"""Retention of events by the old cron job."""
REQUESTS = 60
GOAL_MS = 20.0
RARE, MEDIUM = EventType.MILESTONE_REACHED, EventType.PARTNERSHIP
FREQUENT = tuple(kind for kind in EventType if kind not in (RARE, MEDIUM))[:4]
EVERY = {RARE: 10_000, MEDIUM: 200}
"""One event of each type per this number of events; the others are of the frequent types."""
QUERIES = {
    "the newest 50 of 7 days": "days=7&limit=50",
    "50 of a rare type (1 in 10,000), of 30 days": f"days=30&limit=50&type={RARE}",
    "50 of a medium type (1 in 200), of 30 days": f"days=30&limit=50&type={MEDIUM}",
    "50 of a frequent type (1 in 4), of 30 days": f"days=30&limit=50&type={FREQUENT[0]}",
    "50 of a rare and a frequent type, of 30 days": f"days=30&limit=50&type={RARE}&type={FREQUENT[0]}",
}


def rows(bench: Bench) -> list[Row]:
    count = bench.scaled(EVENTS, CHUNK)
    state.bootstrapped(bench.server, STOCK)
    newest = datetime.now(UTC)  # noqa: TID251 - the API uses the system clock
    for chunk in chunks(count, newest, STOCK):
        bench.server.db.business_events.insert_many(chunk, ordered=False)
    return [_row(name, count, _measure(bench.server, question)) for name, question in QUERIES.items()]


def _row(name: str, count: int, milliseconds: list[float]) -> Row:
    took = statistics.median(milliseconds)
    found = f"{took:.1f} ms"
    return Row(f"get_recent_events over {count:,}: {name}, median", f"below {GOAL_MS:.0f} ms", found, took < GOAL_MS)


def chunks(count: int, newest: datetime, customers: int) -> Iterator[list[dict[str, Any]]]:
    """Yield events of all types, evenly distributed over the days and the customers."""
    step = timedelta(days=DAYS) / count
    for first in range(0, count, CHUNK):
        yield [event_document(_event(n, newest - (count - n) * step, customers)) for n in range(first, first + CHUNK)]


def _event(number: int, at: datetime, customers: int) -> Event:
    kind = next((rare for rare, every in EVERY.items() if number % every == 0), FREQUENT[number % len(FREQUENT)])
    customer, license = shop.customer_id(number % customers), shop.license_id(number % customers)
    return Event(f"bench:{number}", kind, at, f"Evento {number}", customer, license, "pro", 799)


def _measure(server: Server, question: str) -> list[float]:
    """Return the milliseconds of each response, each over its own loopback connection."""
    took = []
    with ready(server.uri) as subject:
        for _ in range(REQUESTS):
            began = time.perf_counter()
            subject.get(f"/api/get_recent_events?{question}")
            took.append(1000 * (time.perf_counter() - began))
    return took
