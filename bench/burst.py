"""Memory of the daemon during a burst of ten thousand changes while the page and the API are read."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench import shop, state
from bench.checkout import Checkout
from bench.measures import Bench, Contender, Row, Sample, median, run_rounds
from bench.server import Server
from bench.subject import Subject, ready

STOCK = 20_000
CHANGES = 10_000
READ = ("/analytics", "/api/get_recent_events?days=7&limit=50", "/metrics")
WARM_READS = 10
GOAL = 1.3


def rows(bench: Bench) -> list[Row]:
    changes = bench.scaled(CHANGES)
    samples = run_rounds(bench, {"the daemon": contender(bench)})
    idle, peak, read = (median(samples["the daemon"], name) for name in ("idle_megabytes", "peak_megabytes", "reads"))
    late = median(samples["the daemon"], "seconds_behind")
    found = (
        f"{peak / idle:.2f} ({peak:.0f} MB against {idle:.0f} MB idle; "
        f"all recorded {late:.1f} s after the last write, {read:.0f} reads answered)"
    )
    what = f"a burst of {changes:,} changes while page and API are read: resident memory against idle"
    return [Row(what, f"at most {GOAL}", found, peak / idle <= GOAL, samples)]


def contender(bench: Bench, checkout: Checkout | None = None) -> Contender:
    """Return the measurement of the daemon, by default of this checkout."""
    stock = bench.scaled(STOCK)
    begun, backlog = state.bootstrapped(bench.server, stock, checkout), shop.Backlog(stock, bench.scaled(CHANGES))
    return lambda: _burst(bench.server, begun, backlog, checkout)


def _burst(server: Server, begun: state.State, backlog: shop.Backlog, checkout: Checkout | None) -> Sample:
    begun.restore(server)
    with ready(server.uri, checkout=checkout) as subject:
        for _ in range(WARM_READS):
            for path in READ:
                subject.get(path)
        idle = subject.resident_megabytes()
        subject.reset_peak()
        with _readers(subject) as answered:
            began = time.perf_counter()
            backlog.write(server.db)
            written = time.perf_counter()
            subject.wait_for_changes(backlog.changes)
            recorded = time.perf_counter()
        return {
            "idle_megabytes": idle,
            "peak_megabytes": subject.peak_megabytes(),
            "seconds_writing": written - began,
            "seconds_behind": recorded - written,
            "reads": len(answered),
        }


@contextmanager
def _readers(subject: Subject) -> Iterator[list[str]]:
    """Read page, API and metrics in turn in a thread."""
    stop, answered = threading.Event(), list[str]()

    def read() -> None:
        while not stop.is_set():
            for path in READ:
                subject.get(path)
                answered.append(path)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield answered
    finally:
        stop.set()
        thread.join()
