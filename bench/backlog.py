"""A backlog that waits in the oplog: ours against the bare programs and what a registry offers instead."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import recording, shop, state
from bench.measures import Bench, Row, Told, median, rounds, run_bare, with_server
from bench.state import State
from bench.subject import Subject, instant

STOCK = 20_000
CHANGES = 100_000


class Backlog:
    """One waiting backlog, written anew for every run."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.server = bench.server
        self.changes = bench.scaled(CHANGES)
        stock = bench.scaled(STOCK)
        self.backlog = shop.Backlog(stock, self.changes)
        self.state = state.taken_over(self.server, stock)

    def wait(self, before: Callable[[], object] = lambda: None, noise: int = 0) -> State:
        """Write it, behind the state's checkpoint; `before` is what a reader does before that."""
        self.state.restore(self.server)
        before()
        self.start = self.server.now()
        self.backlog.write(self.server.db, noise)
        return self.state

    def daemon(self, noise: int = 0) -> Told:
        """Ours: from the lease, which it then has, to the commit of the last change."""
        self.wait(noise=noise)
        return with_server(self.server, self._daemon)

    def _daemon(self) -> Told:
        with Subject(self.server.uri) as subject:
            began = instant(subject.wait_for("lease.taken"))
            cpu = subject.cpu_seconds()
            ended = instant(subject.wait_for_changes(self.changes))
            return {
                "seconds": ended - began,
                "cpu_seconds": subject.cpu_seconds() - cpu,
                "peak_megabytes": subject.peak_megabytes(),
            }

    def reader(self, noise: int = 0) -> Told:
        self.wait(noise=noise)
        start = (str(self.start.time), str(self.start.inc))
        return with_server(self.server, lambda: run_bare(self.server, "reader", *start, str(self.changes)))

    def writer(self, file: Path) -> Told:
        self.wait()
        return with_server(self.server, lambda: run_bare(self.server, "writer", str(file)))

    def rate(self, samples: list[Told]) -> float:
        return self.changes / median(samples, "seconds")


def rows(bench: Bench) -> list[Row]:
    """The backlog row and its ratios."""
    backlog = Backlog(bench)
    with tempfile.TemporaryDirectory(prefix="chatello-bench-") as folder:
        file = Path(folder) / "transactions.bson"
        backlog.wait()
        recording.record(bench.server, file)
        samples = rounds(
            bench,
            {
                "the daemon": backlog.daemon,
                "bare writer": lambda: backlog.writer(file),
                "bare reader": backlog.reader,
            },
        )
    ours = backlog.rate(samples["the daemon"])
    return [
        _row(
            f"{backlog.changes:,} changes waiting, against a bare writer",
            0.8,
            ours,
            backlog.rate(samples["bare writer"]),
            samples,
        ),
        _row(
            f"{backlog.changes:,} changes waiting, against a bare reader",
            0.4,
            ours,
            backlog.rate(samples["bare reader"]),
            {},
        ),
    ]


def _row(what: str, goal: float, ours: float, theirs: float, samples: dict[str, list[Told]]) -> Row:
    ratio = ours / theirs
    return Row(
        what, f"at least {goal}", f"{ratio:.2f} ({ours:,.0f} a second against {theirs:,.0f})", ratio >= goal, samples
    )
