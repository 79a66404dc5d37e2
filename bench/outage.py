"""Time from the death of the MongoDB server until `/readyz` says so: stopped (no answer at all), and killed."""

import signal
import time
import urllib.error

from bench import state
from bench.measures import Bench, Row, Sample, median, run_rounds
from bench.server import Server
from bench.subject import Subject, ready
from daemon.config.schema import LeaseSettings

STOCK = 4000
POLL_SECONDS = 0.05
MAX_SECONDS = 60.0
LEASE_SECONDS = LeaseSettings().seconds


def rows(bench: Bench) -> list[Row]:
    state.bootstrapped(bench.server, STOCK)
    samples = run_rounds(
        bench,
        {
            "stopped": lambda: _not_ready(bench.server, signal.SIGSTOP),
            "killed": lambda: _not_ready(bench.server, signal.SIGKILL),
        },
    )
    goal = LEASE_SECONDS + 2
    found = {name: median(samples[name], "seconds") for name in samples}
    return [
        Row(f"MongoDB {name}: until not ready", f"within {goal:.0f} s", f"{seconds:.1f} s", seconds <= goal)
        for name, seconds in found.items()
    ]


def _not_ready(server: Server, number: signal.Signals) -> Sample:
    member = server.mongo.members[0]
    with ready(server.uri) as subject:
        began = time.perf_counter()
        member.send(number)
        try:
            while _is_ready(subject) and time.perf_counter() - began < MAX_SECONDS:
                time.sleep(POLL_SECONDS)
            return {"seconds": time.perf_counter() - began}
        finally:
            _restore(server, number)


def _is_ready(subject: Subject) -> bool:
    try:
        subject.get("/readyz")
    except urllib.error.HTTPError:
        return False
    return True


def _restore(server: Server, number: signal.Signals) -> None:
    member = server.mongo.members[0]
    if number == signal.SIGKILL:
        server.mongo.kill(member)
        server.mongo.start(member)
    else:
        member.send(signal.SIGCONT)
