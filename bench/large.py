"""A million licences: first start, start, reconciliation, rollup and proof, against a small shop or a bare scan."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from bench import shop
from bench.measures import Bench, Row, Told, median, rounds, run_bare, say
from bench.server import DATABASE, Server
from bench.subject import Subject, instant, ready
from daemon import clock
from daemon.config import Config
from daemon.nightly import Nightly
from daemon.proof import Proof
from daemon.store import gaps
from rules.days import business_day

LICENSES = 1_000_000
SMALL, TINY = 10_000, 1000
PER_CUSTOMER = 5
"""Licences a customer has: agencies have clients."""
DAY_CHANGES = 2000
"""What happened on the day that is rolled up, in the small shop as in the large one."""
ROLLUPS = 5
"""One is soon over and says little: the first reads from disk what the others find in memory."""
QUICK = {"CHATELLO_STREAM__CHECKPOINT_SECONDS": "1"}
"""So that a reconciliation somebody asks for begins soon."""


class Shop(NamedTuple):
    """What was measured of one size."""

    first: Told
    start: list[Told]
    rollup: float
    verify: float
    reconciliation: dict[str, list[Told]]


def rows(bench: Bench) -> list[Row]:
    """One shop after the other in the same database."""
    many = bench.scaled(LICENSES, 20_000)
    tiny, small, large = (_measure(bench, licenses) for licenses in (TINY, SMALL, many))
    return [
        *_starts(many, tiny, large),
        *_reconciliations(many, small, large),
        _ratio(f"nightly rollup: {many:,} licences against {SMALL:,}, the same day", large.rollup, small.rollup, 1.5),
        _ratio(f"`verify`: {many:,} licences against {SMALL:,}", large.verify, small.verify, None),
    ]


def _measure(bench: Bench, licenses: int) -> Shop:
    server = bench.server
    first = _take_over(server, licenses)
    say(f"  {licenses:,} licences taken over: {first}")
    start = [_start(server) for _ in range(bench.repetitions)]
    config = Config.model_validate({"mongodb": {"uri": server.uri, "database": DATABASE}})
    nightly, proof = Nightly(server.db, config), Proof(server.db, config)
    today = business_day(clock.now(), config.time.zone)
    rollup = statistics.median([_seconds(lambda: nightly.write(today, final=False)) for _ in range(ROLLUPS)])
    verify = _seconds(proof.numbers)
    say(f"  {licenses:,} licences: rollup {rollup:.2f} s, verify {verify:.2f} s, starts {start}")
    contenders = {"the daemon": lambda: _reconcile(server), "bare scan": lambda: run_bare(server, "scan")}
    return Shop(first, start, rollup, verify, rounds(bench, contenders) if licenses > TINY else {})


def _take_over(server: Server, licenses: int) -> Told:
    """Open such a shop, have a daemon begin with it, and let a day happen."""
    server.client.drop_database(DATABASE)
    shop.open_shop(server.db)
    shop.fill(server.db, licenses, PER_CUSTOMER)
    with Subject(server.uri) as subject:
        began = instant(subject.wait_for("reconciliation.started"))
        ended = instant(subject.wait_for("gap.closed", 1800))
        subject.wait_for("daemon.ready")
        told = {"seconds": ended - began, "peak_megabytes": subject.peak_megabytes()}
        backlog = shop.Backlog(licenses, DAY_CHANGES)
        backlog.write(server.db)
        subject.wait_for_changes(DAY_CHANGES)
    return told


def _start(server: Server) -> Told:
    began = time.time()  # noqa: TID251 - compared with the log's own times
    with ready(server.uri) as subject:
        took = instant(subject.wait_for("daemon.ready")) - began
        time.sleep(1)
        return {"seconds": took, "megabytes": subject.resident_megabytes()}


def _reconcile(server: Server) -> Told:
    with ready(server.uri, **QUICK) as subject:
        idle = subject.resident_megabytes()
        subject.forget_peak()
        cpu = subject.cpu_seconds()
        gaps.open_gap(server.db, "requested", "the bench asks", None, clock.now())
        began = instant(subject.wait_for("reconciliation.started"))
        ended = instant(subject.wait_for("gap.closed", 1800))
        return {
            "seconds": ended - began,
            "cpu_seconds": subject.cpu_seconds() - cpu,
            "idle_megabytes": idle,
            "peak_megabytes": subject.peak_megabytes(),
        }


def _seconds(work: Callable[[], object]) -> float:
    """The middle one of three runs."""
    took = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return sorted(took)[1]


def _starts(many: int, tiny: Shop, large: Shop) -> list[Row]:
    took = median(large.start, "seconds")
    here, there = median(large.start, "megabytes"), median(tiny.start, "megabytes")
    began, peak = large.first["seconds"], large.first["peak_megabytes"]
    first = f"{began:.0f} s ({many / began:,.0f} licences a second), at most {peak:.0f} MB"
    samples = {"starts": large.start, f"starts with {TINY:,}": tiny.start, "first start": [large.first]}
    return [
        Row(f"first start with {many:,} licences", "-", first, None, samples),
        Row(f"start with {many:,} licences: until ready", "within 3 s", f"{took:.2f} s", took <= 3),
        _ratio(f"start with {many:,} licences: memory against {TINY:,}", here, there, 1.1, " MB"),
    ]


def _reconciliations(many: int, small: Shop, large: Shop) -> list[Row]:
    ours, bare = (median(large.reconciliation[name], "seconds") for name in ("the daemon", "bare scan"))
    peak, less = (median(one.reconciliation["the daemon"], "peak_megabytes") for one in (large, small))
    what = f"reconciliation of {many:,} licences"
    speed = f"{bare / ours:.2f} ({ours:.1f} s against {bare:.1f} s)"
    return [
        Row(f"{what}: speed against a bare scan of both collections and the mirror", "at least 0.5", speed,
            bare / ours >= 0.5, large.reconciliation),
        _ratio(f"{what}: memory against that of {SMALL:,}", peak, less, 1.1, " MB"),
    ]  # fmt: skip


def _ratio(what: str, ours: float, theirs: float, most: float | None, unit: str = " s") -> Row:
    found = f"{ours / theirs:.2f} ({ours:.2f}{unit} against {theirs:.2f}{unit})"
    return Row(what, f"at most {most}" if most else "-", found, ours / theirs <= most if most else None)
