"""Pages of customers, trends and months of a shop of three years: time on the server, memory against a small one."""

import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bench import page_indexes, shop, years
from bench.measures import Bench, Row, Sample, print_line
from bench.server import Server
from bench.subject import Subject, ready
from daemon.mongo.typed_ids import typed_id

CUSTOMERS = 100_000
SMALL = 1000
VISITS = 15
WARM_UPS = 3
"""Visits that are not counted: the first ones sum the ledger once."""
GOAL_MS = 300.0
MOST_MEMORY = 1.1


class Measurement(NamedTuple):
    """Milliseconds of each visit by page, and the peak memory while they were read."""

    visits: dict[str, list[Sample]]
    peak_megabytes: float


def pages(number: int) -> Mapping[str, str]:
    """Return the pages of customers by name; `number` is a customer in the middle of the list."""
    last_month = (datetime.now(UTC).replace(day=1) - timedelta(1)).strftime("%Y-%m")  # noqa: TID251 - as the rows
    frequent, customers = typed_id(shop.PLANS[0]), "/analytics/clienti"
    middle = typed_id(shop.customer_id(number))
    old_month = (datetime.now(UTC) - years.SPAN / 2).strftime("%Y-%m")  # noqa: TID251 - as the rows
    return {
        "customers by MRR": customers,
        "customers by MRR, in the middle": f"{customers}?dopo={middle}",
        "customers by name": f"{customers}?ordina=nome",
        "customers by name, in the middle": f"{customers}?ordina=nome&dopo={middle}",
        "customers by registration": f"{customers}?ordina=data",
        "customers of the most frequent plan": f"{customers}?piano={frequent}",
        "customers of a rarer plan": f"{customers}?piano={typed_id(shop.PLANS[2])}",
        "customers of a rarer plan by registration": f"{customers}?piano={typed_id(shop.PLANS[2])}&ordina=data",
        "paying customers by name": f"{customers}?stato=paganti&ordina=nome",
        "returned customers": f"{customers}?stato=tornati",
        "lost customers": f"{customers}?stato=persi",
        "customers whose license ends soon": f"{customers}?stato=in-scadenza",
        "a search for customers": f"{customers}?cerca=corp+{number}",
        "a customer": f"{customers}/{middle}",
        "Oggi, with what to do": "/analytics",
        "Andamento of 30 days": "/analytics/andamento",
        "Andamento of all days": "/analytics/andamento?periodo=tutto",
        "the months": "/analytics/mesi",
        "the letter of the last month": f"/analytics/mesi/{last_month}",
        "the letter of an old month": f"/analytics/mesi/{old_month}",
    }


def rows(bench: Bench) -> list[Row]:
    many = bench.scaled(CUSTOMERS, SMALL)
    small, large = (_measure(bench.server, customers) for customers in (SMALL, many))
    of_pages = [_row(name, many, visits) for name, visits in large.visits.items()]
    return [*of_pages, _memory(many, small, large), *page_indexes.rows(bench)]


def _measure(server: Server, customers: int) -> Measurement:
    began = time.perf_counter()
    years.build(server, customers)
    print_line(f"  {customers:,} customers of three years built in {time.perf_counter() - began:.0f} s")
    with ready(server.uri) as subject:
        idle = subject.settled_megabytes()
        subject.reset_peak()
        visits = {name: _visits(subject, path) for name, path in pages(customers // 2).items()}
        print_line(f"  {idle:.0f} MB idle, at most {subject.peak_megabytes():.0f} MB")
        return Measurement(visits, subject.peak_megabytes())


def _visits(subject: Subject, path: str) -> list[Sample]:
    for _ in range(WARM_UPS):
        subject.get(path)
    return [_visit(subject, path) for _ in range(VISITS)]


def _visit(subject: Subject, path: str) -> Sample:
    began = time.perf_counter()
    subject.get(path)
    return {"milliseconds": 1000 * (time.perf_counter() - began)}


def _row(name: str, customers: int, visits: list[Sample]) -> Row:
    took = [visit["milliseconds"] for visit in visits]
    middle = statistics.median(took)
    found = f"{middle:.0f} ms, at best {min(took):.0f} ms"
    return Row(
        f"page, {customers:,} customers: {name}", f"below {GOAL_MS:.0f} ms", found, middle < GOAL_MS, {name: visits}
    )


def _memory(customers: int, small: Measurement, large: Measurement) -> Row:
    ratio = large.peak_megabytes / small.peak_megabytes
    found = f"{ratio:.2f} ({large.peak_megabytes:.0f} MB against {small.peak_megabytes:.0f} MB)"
    what = f"pages, {customers:,} customers: peak memory against {SMALL:,}"
    return Row(what, f"at most {MOST_MEMORY}", found, ratio <= MOST_MEMORY)
