"""A backlog in the oplog: the daemon against minimal programs and packages from a registry."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import peers, recording, shop, state
from bench.checkout import Checkout, this
from bench.measures import Bench, Row, Sample, median, print_line, run_bare, run_rounds, with_server
from bench.peers import Peer, PeerFailed
from bench.state import State
from bench.subject import Subject, timestamp_of

STOCK = 20_000
CHANGES = 100_000
NOISE = 10
"""Updates of `last_check` per relevant change."""

DAEMON = "the daemon"
Samples = dict[str, list[Sample]]


class Backlog:
    """A backlog that is written again for every run, for the daemon of a checkout, by default of this one."""

    def __init__(self, bench: Bench, checkout: Checkout | None = None, changes: int = CHANGES) -> None:
        self.bench = bench
        self.checkout = checkout or this()
        self.server = bench.server
        self.changes = bench.scaled(changes)
        stock = bench.scaled(STOCK)
        self.backlog = shop.Backlog(stock, self.changes)
        self.state = state.bootstrapped(self.server, stock, self.checkout)

    def wait(self, before: Callable[[], object] = lambda: None, noise: int = 0) -> State:
        """Restore the state and write the backlog after its checkpoint; call `before` in between."""
        self.state.restore(self.server)
        before()
        self.start = self.server.now()
        self.backlog.write(self.server.db, noise)
        return self.state

    def daemon(self, *arguments: str, noise: int = 0) -> Sample:
        """Measure the daemon from the acquired lease to the commit of the last change."""
        self.wait(noise=noise)
        return with_server(self.server, lambda: self._daemon(*arguments))

    def _daemon(self, *arguments: str) -> Sample:
        with Subject(self.server.uri, *arguments, checkout=self.checkout) as subject:
            began = timestamp_of(subject.wait_for("lease.taken"))
            cpu = subject.cpu_seconds()
            ended = timestamp_of(subject.wait_for_changes(self.changes))
            return {
                "seconds": ended - began,
                "cpu_seconds": subject.cpu_seconds() - cpu,
                "peak_megabytes": subject.peak_megabytes(),
            }

    def reader(self, noise: int = 0) -> Sample:
        self.wait(noise=noise)
        start = (str(self.start.time), str(self.start.inc))
        return with_server(self.server, lambda: run_bare(self.server, "reader", *start, str(self.changes)))

    def writer(self, file: Path) -> Sample:
        self.wait()
        return with_server(self.server, lambda: run_bare(self.server, "writer", str(file)))

    def peer(self, peer: Peer) -> Sample:
        """Measure a peer; return an empty sample if it fails."""
        self.wait(lambda: peer.prepare(self.server))
        try:
            return with_server(self.server, lambda: peer.run(self.server, self.start, self.changes))
        except PeerFailed as failed:
            print_line(f"  {failed}")
            return {}

    def rate(self, samples: list[Sample]) -> float:
        return self.changes / median(samples, "seconds")


def rows(bench: Bench) -> list[Row]:
    """Measure the backlog against the minimal programs, within noise, and against the peers."""
    backlog = Backlog(bench)
    with tempfile.TemporaryDirectory(prefix="chatello-bench-") as folder:
        file = Path(folder) / "transactions.bson"
        backlog.wait()
        recording.record(bench.server, file)
        samples = run_rounds(
            bench,
            {
                DAEMON: backlog.daemon,
                "bare writer": lambda: backlog.writer(file),
                "bare reader": backlog.reader,
            },
        )
    return [*_bare_rows(backlog, samples), _hidden_row(backlog), *_peer_rows(backlog)]


def _bare_rows(backlog: Backlog, samples: Samples) -> list[Row]:
    waiting = f"{backlog.changes:,} changes waiting"
    return [
        _speed_row(
            f"{waiting}: speed against a bare writer of the same documents", 0.65, backlog, samples, "bare writer"
        ),
        _speed_row(f"{waiting}: speed against a bare reading loop", None, backlog, samples, "bare reader"),
    ]


def _speed_row(what: str, goal: float | None, backlog: Backlog, samples: Samples, other: str, suffix: str = "") -> Row:
    own, others = backlog.rate(samples[DAEMON]), backlog.rate(samples[other])
    found = f"{own / others:.2f} ({own:,.0f} changes per second against {others:,.0f}){suffix}"
    kept = {DAEMON: samples[DAEMON], other: samples[other]}
    if goal is None:
        return Row(what, "-", found, None, kept)
    return Row(what, f"at least {goal:g}", found, own / others >= goal, kept)


def _hidden_row(backlog: Backlog) -> Row:
    """Compare the daemon's CPU time with and without ten updates of `last_check` per change."""
    hidden = f"within {backlog.changes * NOISE:,} updates"
    samples = run_rounds(backlog.bench, {"plain": backlog.daemon, hidden: lambda: backlog.daemon(noise=NOISE)})
    own, plain = median(samples[hidden], "cpu_seconds"), median(samples["plain"], "cpu_seconds")
    what = f"the same changes {hidden} of `last_check`: CPU time of the daemon"
    found = f"{own / plain:.2f} ({own:.2f} s against {plain:.2f} s)"
    return Row(what, "at most 1.2", found, own / plain <= 1.2, samples)


def _peer_rows(backlog: Backlog) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="chatello-peers-") as folder:
        found = peers.peers(Path(folder))
        for absent in found:
            if isinstance(absent, PeerFailed):
                print_line(f"  skipped: {absent}")
        present = [peer for peer in found if not isinstance(peer, PeerFailed)]
        contenders = {peer.package: partial(backlog.peer, peer) for peer in present}
        samples = run_rounds(backlog.bench, {DAEMON: backlog.daemon, **contenders})
    rows = [_peer_row(backlog, peer, samples) for peer in present]
    return rows + [Row(f"against {str(one)[:60]}", "-", str(one)[:200], None) for one in found if one not in present]


def _peer_row(backlog: Backlog, peer: Peer, samples: Samples) -> Row:
    what = f"{backlog.changes:,} changes waiting: speed against {peer.package}, which only reads"
    measured = samples[peer.package]
    if failed := [sample for sample in measured if "seconds" not in sample]:
        return Row(what, "-", f"failed in {len(failed)} of {len(measured)} rounds", None, {peer.package: measured})
    return _speed_row(what, None, backlog, samples, peer.package, f"; {peer.lacks}")
