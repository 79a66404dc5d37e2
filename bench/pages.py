"""The page over a million events and ledger lines of three years: the time of each address, and the memory.

`customer_pages` measures the other pages.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from itertools import islice
from urllib.error import HTTPError

from bson import ObjectId

from bench import shop, state
from bench.measures import Bench, Row, Sample, median, print_line
from bench.server import DATABASE, Server
from bench.subject import Subject, ready
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.mongo.collections import CHECKPOINT, EVENTS, LEDGER, ROWS, WRITTEN_ROWS
from daemon.mongo.types import Document
from daemon.rollup.rollup import Rollup
from daemon.store.documents import event_document, movement_document
from rules import business_days
from rules.model.changes import LicenseValue
from rules.model.events import Event, EventType
from rules.model.ledger import Movement, MovementKind, Reason
from rules.rows import periods
from rules.rows.periods import Period

EVENTS_WANTED = 1_000_000
LICENSES = 25_000
YEARS = timedelta(days=3 * 365)
CHUNK = 10_000
VISITS = 11
PAUSE_SECONDS = 0.2
GOAL_MS = 300.0
MOST_MEMORY = 1.3
PRICES = (299, 799, 1999)
"""Cents per month of the plans in use, by the number of the plan."""

CYCLE = (
    (MovementKind.CHURN, Reason.CANCELLED, EventType.LICENSE_CANCELLED),
    (MovementKind.REACTIVATION, Reason.ACTIVATED, EventType.LICENSE_ACTIVATED),
    (MovementKind.EXPANSION, Reason.PLAN_CHANGED, EventType.PLAN_UPGRADED),
    (MovementKind.CONTRACTION, Reason.PLAN_CHANGED, EventType.PLAN_DOWNGRADED),
)
"""What happens to a license in turn, each beginning at another place; a whole cycle does not change the totals."""


def rows(bench: Bench) -> list[Row]:
    """Measure each address from outside, several times; the first visits of a start are on lines of their own."""
    count = bench.scaled(EVENTS_WANTED, len(CYCLE) * LICENSES)
    fill(bench.server, count)
    with ready(bench.server.uri) as subject:
        idle = subject.settled_megabytes()
        today = _today(bench.server)
        summed = _until_summed(subject, today - timedelta(500))
        subject.reset_peak()
        found = {name: _visits(subject, address) for name, address in addresses(bench.server, today).items()}
        peak = subject.peak_megabytes()
    what = f"page over {count:,} events and ledger lines of 3 years"
    return [
        *(_row(f"{what}: {name}, median", took) for name, took in found.items()),
        Row(f"{what}: from a first visit until old days can be explained", "-", f"{summed:.0f} s", None),
        Row(
            f"{what}: resident memory against idle",
            f"at most {MOST_MEMORY}",
            f"{peak / idle:.2f} ({peak:.0f} MB against {idle:.0f} MB)",
            peak / idle <= MOST_MEMORY,
        ),
    ]


def addresses(server: Server, today: date) -> dict[str, str]:
    """Return one address of each page, and of each kind of explanation."""
    old, month = today - timedelta(500), (today - timedelta(400)).strftime("%Y-%m")
    line = server.db[CHECKPOINT].find_one({"_id": "checkpoint"}, {"seq": 1})
    assert line is not None, "the daemon has not started yet"
    why = "/analytics/perche"
    return {
        "Oggi": "/analytics",
        "Eventi": "/analytics/eventi",
        "Eventi, by type and day": f"/analytics/eventi?tipo=plan_upgraded&giorno={old}",
        "Eventi, by customer": f"/analytics/eventi?cliente={shop.customer_id(1)}",
        "Eventi, by frequent words": "/analytics/eventi?cerca=upgrade",
        "Eventi, by words that no event has": "/analytics/eventi?cerca=nessuno",
        "Sistema": "/analytics/sistema",
        "a day": f"/analytics/giorni/{old}",
        "why: MRR now": f"{why}/adesso/mrr?riga={line['seq']}",
        "why: MRR of a day": f"{why}/{old}/mrr",
        "why: MRR of a month": f"{why}/{month}/mrr",
        "why: lost customers of a month": f"{why}/{month}/persi",
        "why: a plan's revenue in a month": f"{why}/{month}/piano.pro",
        "why: customer churn of 30 days": f"{why}/{old}/churn-clienti",
        "why: retention of 30 days": f"{why}/{old}/retention",
        "why: quick ratio of a month": f"{why}/{month}/quick-ratio",
        "why: a fact of a note": f"{why}/{old}/nota/plan_upgraded",
    }


def _row(what: str, took: list[float]) -> Row:
    middle = statistics.median(took)
    samples: list[Sample] = [{"milliseconds": one} for one in took]
    found = f"{median(samples, 'milliseconds'):.0f} ms, at best {min(took):.0f} ms"
    return Row(what, f"below {GOAL_MS:.0f} ms", found, middle < GOAL_MS, {"visits": samples})


def _visits(subject: Subject, address: str) -> list[float]:
    took = [_milliseconds(subject, address) for _ in range(VISITS)]
    print_line(f"  {address}: {statistics.median(took):.0f} ms, {min(took):.0f} to {max(took):.0f}")
    return took


def _milliseconds(subject: Subject, address: str) -> float:
    began = time.perf_counter()
    subject.get(address)
    return 1000 * (time.perf_counter() - began)


def _until_summed(subject: Subject, day: date) -> float:
    """Visit an old day's explanation until the ledger's days are summed; return the seconds."""
    began = time.perf_counter()
    while time.perf_counter() - began < 600:
        try:
            subject.get(f"/analytics/perche/{day}/mrr")
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return time.perf_counter() - began
    raise TimeoutError(f"the explanation of {day} is still not available")


def _today(server: Server) -> date:
    newest = server.db[LEDGER].find_one(sort=[("_id", -1)])
    assert newest is not None, "the ledger is empty"
    day: datetime = newest["day"]
    return day.date()


# -- the shop of three years --------------------------------------------------------------------------------


def fill(server: Server, count: int) -> None:
    """Create a shop, and behind its opening balance ledger lines, events and rows of three years."""
    state.bootstrapped(server, LICENSES)
    end = datetime.now(UTC) - timedelta(minutes=5)  # noqa: TID251 - the history ends now
    _open_earlier(server, end - YEARS - timedelta(days=1))
    first = _next_line(server)
    for chunk in _chunks(_history(count, end), first):
        server.db[LEDGER].insert_many([line for line, _ in chunk], ordered=False)
        server.db[EVENTS].insert_many([event for _, event in chunk], ordered=False)
    now = {"token": None, "cluster_time": server.now(), "position": "", "seq": first + count - 1}
    server.db[CHECKPOINT].update_one({"_id": "checkpoint"}, {"$set": now})
    _write_rows(server)


def _write_rows(server: Server) -> None:
    """Write the row of one day and one month, and copies of them for all others, which take longer to compute."""
    config = Config.model_validate({"mongodb": {"uri": server.uri, "database": DATABASE}})
    rollup, last = Rollup(server.db, ActiveConfig(config)), _today(server) - business_days.ONE_DAY
    known = periods.month(last - timedelta(days=40))
    rollup.write(last, final=True)
    rollup.write_month(known)
    first = (last - YEARS).replace(day=1)
    days = [periods.day(one) for one in business_days.between(first, last - business_days.ONE_DAY)]
    months = [month for month in periods.months(first, last) if month != known]
    for name in (ROWS, WRITTEN_ROWS):
        for model, copies in ((periods.day(last), days), (known, months)):
            _copy_row(server, name, model, copies)


def _copy_row(server: Server, name: str, model: Period, copies: Sequence[Period]) -> None:
    key = {"date": business_days.stored(model.first), "period_type": model.kind.value}
    stored = server.db[name].find_one(key)
    assert stored is not None, key
    made = []
    for copy in copies:
        changed = {**key, "date": business_days.stored(copy.first)}
        made.append({**stored, **changed, "_id": ObjectId() if name == ROWS else changed})
    server.db[name].insert_many(made)


def _open_earlier(server: Server, at: datetime) -> None:
    """Date the opening balance back to the start of the history."""
    day = business_days.stored(at.date())
    server.db[LEDGER].update_many({}, {"$set": {"at": at, "day": day}})


def _next_line(server: Server) -> int:
    newest = server.db[LEDGER].find_one(sort=[("_id", -1)])
    return 1 + newest["_id"] if newest else 1


def _chunks(history: Iterator[tuple[Movement, Event]], first: int) -> Iterator[list[tuple[Document, Document]]]:
    zone = Config.model_validate({"mongodb": {"uri": "mongodb://unused"}}).time.zone
    line = first
    while chunk := list(islice(history, CHUNK)):
        days = business_days.business_days([movement.at for movement, _ in chunk], zone)
        yield [
            (movement_document(movement, line + number, day), event_document(event))
            for number, ((movement, event), day) in enumerate(zip(chunk, days, strict=True))
        ]
        line += len(chunk)


def _history(count: int, end: datetime) -> Iterator[tuple[Movement, Event]]:
    step = YEARS / count
    for number in range(count):
        round_number, license = divmod(number, LICENSES)
        round_number += license % len(CYCLE)
        yield _change(license, round_number, end - (count - 1 - number) * step)


def _change(license: int, round_number: int, at: datetime) -> tuple[Movement, Event]:
    kind, reason, event_type = CYCLE[round_number % len(CYCLE)]
    before, after = _values(license, kind)
    mrr_before, mrr_after = (one.mrr_cents if one.active else 0 for one in (before, after))
    active = after.active - before.active
    customer_id, license_id = shop.customer_id(license), shop.license_id(license)
    movement = Movement(
        at, kind, reason, f"bench{round_number}.{license}", customer_id, license_id, after.plan_id,
        mrr_cents=mrr_after - mrr_before, paying_customers=active, subscribers=active, active_licenses=active,
        before=before, after=after, customer_mrr=(mrr_before, mrr_after),
    )  # fmt: skip
    text = f"{event_type.value} {license}"
    return movement, Event(f"bench:{round_number}:{license}", event_type, at, text, customer_id, license_id, "pro", 799)


def _values(license: int, kind: MovementKind) -> tuple[LicenseValue, LicenseValue]:
    usual = _value(license % shop.SOLD, is_active=True)
    if kind is MovementKind.CHURN:
        return usual, _value(license % shop.SOLD, is_active=False)
    if kind is MovementKind.REACTIVATION:
        return _value(license % shop.SOLD, is_active=False), usual
    dearer = LicenseValue(usual.plan_id, active=True, mrr_cents=usual.mrr_cents + 100, paid=True)
    return (usual, dearer) if kind is MovementKind.EXPANSION else (dearer, usual)


def _value(plan: int, *, is_active: bool) -> LicenseValue:
    return LicenseValue(shop.PLANS[plan], active=is_active, mrr_cents=PRICES[plan] if is_active else 0, paid=True)
