"""A million licences: first start, start, reconciliation, rollup and proof, against a small shop or a bare scan."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from bench import shop
from bench.measures import Bench, Row, Told, median, rounds, run_bare, say
from bench.server import DATABASE, Server
from bench.subject import Subject, instant, ready
from daemon import clock
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
"""Licences a customer has: agencies have clients."""
DAY_CHANGES = 2000
"""What happened on the day that is rolled up, in the small shop as in the large one."""
ROLLUPS = 15
"""Rounds in which both shops' row is made: one is soon over and says little."""
ASIDE = f"{DATABASE}_aside"
"""Where the small shop stands while the large one is made, so that their rollups can take turns."""
AGE = timedelta(days=40)
"""How long before the day that is rolled up the daemon had begun, so that its rates look back over days it knows."""
QUICK = {"CHATELLO_STREAM__CHECKPOINT_SECONDS": "1"}
"""So that a reconciliation somebody asks for begins soon."""


class Shop(NamedTuple):
    """What was measured of one size."""

    first: Told
    start: list[Told]
    verify: float
    reconciliation: dict[str, list[Told]]


def rows(bench: Bench) -> list[Row]:
    """One shop after the other in the same database; their rollups in turn, the small one's in a copy."""
    many = bench.scaled(LICENSES, 20_000)
    tiny, small = (_measure(bench, licenses) for licenses in (TINY, SMALL))
    _put_aside(bench.server)
    large = _measure(bench, many)
    return [
        *_starts(many, tiny, large),
        *_reconciliations(many, small, large),
        *_rollups(bench, many),
        _ratio(f"`verify`: {many:,} licences against {SMALL:,}", large.verify, small.verify, None),
    ]


def _measure(bench: Bench, licenses: int) -> Shop:
    server = bench.server
    first = _take_over(server, licenses)
    say(f"  {licenses:,} licences taken over: {first}")
    start = [_start(server) for _ in range(bench.repetitions)]
    verify = _seconds(Verification(server.db, _config(server, DATABASE)).numbers)
    say(f"  {licenses:,} licences: verify {verify:.2f} s, starts {start}")
    contenders = {"the daemon": lambda: _reconcile(server), "bare scan": lambda: run_bare(server, "scan")}
    return Shop(first, start, verify, rounds(bench, contenders) if licenses > TINY else {})


def _config(server: Server, name: str) -> Config:
    return Config.model_validate({"mongodb": {"uri": server.uri, "database": name}})


def _rollups(bench: Bench, many: int) -> list[Row]:
    """The row of a day in the middle of the shop's life, and of the very first, which holds its opening balance too."""
    what = f"nightly rollup: {many:,} licences against {SMALL:,}, the same day"
    first = _rolled(bench, f"{what}, which is that of the first start", None)
    for db in _both(bench.server):
        _begin_earlier(db)
    return [_rolled(bench, what, 1.5), first]


def _rolled(bench: Bench, what: str, most: float | None) -> Row:
    small, large = (_writer(bench.server, db) for db in _both(bench.server))
    for warm in (small, large):
        warm()
    samples = rounds(replace(bench, repetitions=ROLLUPS), {"small": small, "large": large})
    row = _ratio(what, median(samples["large"], "seconds"), median(samples["small"], "seconds"), most)
    return replace(row, samples=samples)


def _writer(server: Server, db: Database) -> Callable[[], Told]:
    """Makes and stores the row of the newest day that anything happened on."""
    nightly = Rollup(db, _config(server, db.name))
    newest = db[LEDGER].find_one(sort=[("_id", -1)])
    assert newest is not None, "a day was let happen"
    return lambda: {"seconds": _once(lambda: nightly.write(newest["day"].date(), final=False))}


def _both(server: Server) -> tuple[Database, Database]:
    return server.client.get_database(ASIDE, codec_options=CODEC), server.db


def _put_aside(server: Server) -> None:
    """Have the server copy the shop as it stands, with the same indexes."""
    aside = _both(server)[0]
    server.client.drop_database(aside)
    shop.index(aside)
    indexes.create(aside)
    for name in server.db.list_collection_names():
        server.db[name].aggregate([{"$out": {"db": ASIDE, "coll": name}}])


def _begin_earlier(db: Database) -> None:
    """Date the opening balance as if the daemon had been there for a while."""
    earlier = {name: {"$subtract": [f"${name}", AGE // timedelta(milliseconds=1)]} for name in ("day", "at")}
    db[LEDGER].update_many({"kind": "opening"}, [{"$set": earlier}])


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
        return {"seconds": took, "megabytes": subject.settled_megabytes()}


def _reconcile(server: Server) -> Told:
    with ready(server.uri, **QUICK) as subject:
        idle = subject.settled_megabytes()
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
    return sorted(_once(work) for _ in range(3))[1]


def _once(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


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
