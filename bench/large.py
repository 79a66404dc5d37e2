"""A million licenses: first start, start, reconciliation, rollup, verification, against a small shop or a bare scan."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from bench import shop
from bench.measures import Bench, Row, Sample, median, print_line, run_bare, run_rounds
from bench.server import DATABASE, Server
from bench.subject import Subject, ready, timestamp_of
from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.diagnostics.verification import Verification
from daemon.mongo.client import CODEC
from daemon.mongo.collections import LEDGER
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.store import gaps, indexes

LICENSES = 1_000_000
SMALL, TINY = 10_000, 1000
PER_CUSTOMER = 5
"""Licenses per customer."""
DAY_CHANGES = 2000
"""Changes of the day that is rolled up, the same in the small and the large shop."""
ROLLUPS = 15
"""Rounds of the rollup, which is short and varies."""
COPY = f"{DATABASE}_copy"
"""Copy of the small shop beside the large one, so that their rollups can be interleaved."""
AGE = timedelta(days=40)
"""Age of the ledger at the day that is rolled up, so that the row's rates cover recorded days."""
CHECKPOINT_SECONDS = "1"
"""Lets a requested reconciliation start early."""


class Measurement(NamedTuple):
    """Samples of one shop size."""

    first: Sample
    start: list[Sample]
    verify: float
    reconciliation: dict[str, list[Sample]]


def rows(bench: Bench) -> list[Row]:
    """Measure one shop after the other in one database; interleave the rollups with a copy of the small shop."""
    many = bench.scaled(LICENSES, 20_000)
    tiny, small = (_measure(bench, licenses) for licenses in (TINY, SMALL))
    _copy_shop(bench.server)
    large = _measure(bench, many)
    return [
        *_starts(many, tiny, large),
        *_reconciliations(many, small, large),
        *_rollups(bench, many),
        _ratio(f"`verify`: {many:,} licenses against {SMALL:,}", large.verify, small.verify, None),
    ]


def _measure(bench: Bench, licenses: int) -> Measurement:
    server = bench.server
    first = _bootstrap(server, licenses)
    print_line(f"  {licenses:,} licenses bootstrapped: {first}")
    start = [_start(server) for _ in range(bench.repetitions)]
    verify = _seconds(Verification(server.db, _config(server, DATABASE)).verify_totals)
    print_line(f"  {licenses:,} licenses: verify {verify:.2f} s, starts {start}")
    contenders = {"the daemon": lambda: _reconcile(server), "bare scan": lambda: run_bare(server, "scan")}
    return Measurement(first, start, verify, run_rounds(bench, contenders) if licenses > TINY else {})


def _config(server: Server, name: str) -> Config:
    return Config.model_validate({"mongodb": {"uri": server.uri, "database": name}})


def _rollups(bench: Bench, many: int) -> list[Row]:
    """Measure the row of an ordinary day, and of the first day, which includes the opening balance."""
    what = f"nightly rollup: {many:,} licenses against {SMALL:,}, the same day"
    first = _rolled(bench, f"{what}, that of the first start", None)
    for db in _databases(bench.server):
        _begin_earlier(db)
    return [_rolled(bench, what, 1.5), first]


def _rolled(bench: Bench, what: str, most: float | None) -> Row:
    small, large = (_writer(bench.server, db) for db in _databases(bench.server))
    for warm in (small, large):
        warm()
    samples = run_rounds(replace(bench, repetitions=ROLLUPS), {"small": small, "large": large})
    row = _ratio(what, median(samples["large"], "seconds"), median(samples["small"], "seconds"), most)
    return replace(row, samples=samples)


def _writer(server: Server, db: Database) -> Callable[[], Sample]:
    """Return a function that writes the row of the newest day in the ledger."""
    rollup = Rollup(db, ActiveConfig(_config(server, db.name)))
    newest = db[LEDGER].find_one(sort=[("_id", -1)])
    assert newest is not None, "the ledger is empty"
    return lambda: {"seconds": _once(lambda: rollup.write(newest["day"].date(), final=False))}


def _databases(server: Server) -> tuple[Database, Database]:
    return server.client.get_database(COPY, codec_options=CODEC), server.db


def _copy_shop(server: Server) -> None:
    """Copy the database on the server, with the same indexes."""
    copy = _databases(server)[0]
    server.client.drop_database(copy)
    shop.index(copy)
    indexes.create(copy)
    for name in server.db.list_collection_names():
        server.db[name].aggregate([{"$out": {"db": COPY, "coll": name}}])


def _begin_earlier(db: Database) -> None:
    """Date the opening balance back, as if the daemon had started earlier."""
    earlier = {name: {"$subtract": [f"${name}", AGE // timedelta(milliseconds=1)]} for name in ("day", "at")}
    db[LEDGER].update_many({"kind": "opening"}, [{"$set": earlier}])


def _bootstrap(server: Server, licenses: int) -> Sample:
    """Create a shop, run the daemon's first start, and write the changes of a day."""
    server.client.drop_database(DATABASE)
    shop.open_shop(server.db)
    shop.fill(server.db, licenses, PER_CUSTOMER)
    with Subject(server.uri) as subject:
        began = timestamp_of(subject.wait_for("reconciliation.started"))
        ended = timestamp_of(subject.wait_for("gap.closed", 1800))
        subject.wait_for("daemon.ready")
        sample = {"seconds": ended - began, "peak_megabytes": subject.peak_megabytes()}
        backlog = shop.Backlog(licenses, DAY_CHANGES)
        backlog.write(server.db)
        subject.wait_for_changes(DAY_CHANGES)
    return sample


def _start(server: Server) -> Sample:
    began = time.time()  # noqa: TID251 - compared with the log's timestamps
    with ready(server.uri) as subject:
        took = timestamp_of(subject.wait_for("daemon.ready")) - began
        return {"seconds": took, "megabytes": subject.settled_megabytes()}


def _reconcile(server: Server) -> Sample:
    with ready(server.uri, CHATELLO_STREAM__CHECKPOINT_SECONDS=CHECKPOINT_SECONDS) as subject:
        idle = subject.settled_megabytes()
        subject.reset_peak()
        cpu = subject.cpu_seconds()
        gaps.open_gap(server.db, "requested", "requested by the bench", None, clock.now())
        began = timestamp_of(subject.wait_for("reconciliation.started"))
        ended = timestamp_of(subject.wait_for("gap.closed", 1800))
        return {
            "seconds": ended - began,
            "cpu_seconds": subject.cpu_seconds() - cpu,
            "idle_megabytes": idle,
            "peak_megabytes": subject.peak_megabytes(),
        }


def _seconds(work: Callable[[], object]) -> float:
    """Return the median of three runs."""
    return sorted(_once(work) for _ in range(3))[1]


def _once(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _starts(many: int, tiny: Measurement, large: Measurement) -> list[Row]:
    took = median(large.start, "seconds")
    memory, tiny_memory = median(large.start, "megabytes"), median(tiny.start, "megabytes")
    began, peak = large.first["seconds"], large.first["peak_megabytes"]
    first = f"{began:.0f} s ({many / began:,.0f} licenses per second), at most {peak:.0f} MB"
    samples = {"starts": large.start, f"starts with {TINY:,}": tiny.start, "first start": [large.first]}
    return [
        Row(f"first start with {many:,} licenses", "-", first, None, samples),
        Row(f"start with {many:,} licenses: until ready", "within 3 s", f"{took:.2f} s", took <= 3),
        _ratio(f"start with {many:,} licenses: memory against {TINY:,}", memory, tiny_memory, 1.1, " MB"),
    ]


def _reconciliations(many: int, small: Measurement, large: Measurement) -> list[Row]:
    own, bare = (median(large.reconciliation[name], "seconds") for name in ("the daemon", "bare scan"))
    peak, small_peak = (median(one.reconciliation["the daemon"], "peak_megabytes") for one in (large, small))
    what = f"reconciliation of {many:,} licenses"
    speed = f"{bare / own:.2f} ({own:.1f} s against {bare:.1f} s)"
    return [
        Row(f"{what}: speed against a bare scan of both collections and the mirror", "at least 0.5", speed,
            bare / own >= 0.5, large.reconciliation),
        _ratio(f"{what}: memory against that of {SMALL:,}", peak, small_peak, 1.1, " MB"),
    ]  # fmt: skip


def _ratio(what: str, own: float, other: float, most: float | None, unit: str = " s") -> Row:
    found = f"{own / other:.2f} ({own:.2f}{unit} against {other:.2f}{unit})"
    return Row(what, f"at most {most}" if most else "-", found, own / other <= most if most else None)
