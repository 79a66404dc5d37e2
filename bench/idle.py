"""Load of an idle daemon over five minutes: server operations, CPU, memory."""

import time

from bench import state
from bench.measures import Bench, Row, Sample, print_line
from bench.server import Server
from bench.subject import ready

STOCK = 20_000
SECONDS = 300
LEAST_SECONDS = 20
SETTLE_SECONDS = 10


def rows(bench: Bench) -> list[Row]:
    """Measure once, since it is long and stable; subtract the operations the server counts without a daemon."""
    seconds = max(LEAST_SECONDS, SECONDS * bench.scale)
    state.bootstrapped(bench.server, STOCK)
    alone = _operations(bench.server, seconds / 5)
    with ready(bench.server.uri) as subject:
        time.sleep(SETTLE_SECONDS)
        cpu = subject.cpu_seconds()
        asked = _operations(bench.server, seconds) - alone
        share = (subject.cpu_seconds() - cpu) / seconds
        resident = subject.resident_megabytes()
    sample: Sample = {"operations_a_second": asked, "alone_a_second": alone, "core_share": share, "megabytes": resident}
    print_line(f"  {sample}")
    during = f"idle for {seconds:.0f} seconds"
    return [
        Row(
            f"{during}: server operations per second", "at most 1", f"{asked:.2f}", asked <= 1, {"the daemon": [sample]}
        ),
        Row(f"{during}: share of a core", "below 0.5 %", f"{share:.2%}", share < 0.005),
        Row(f"{during}: resident memory", "below 100 MB", f"{resident:.0f} MB", resident < 100),
    ]


def _operations(server: Server, seconds: float) -> float:
    """Return the operations per second that mongod counts, without our own two queries."""
    before = sum(server.operations().values())
    time.sleep(seconds)
    return (sum(server.operations().values()) - before - 1) / seconds
