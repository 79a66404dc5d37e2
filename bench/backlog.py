"""A backlog that waits in the oplog: ours against the bare programs and what a registry offers instead."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import peers, recording, shop, state
from bench.measures import Bench, Row, Told, median, rounds, run_bare, say, with_server
from bench.peers import Peer, PeerFailed
from bench.state import State
from bench.subject import Subject, instant

STOCK = 20_000
CHANGES = 100_000
NOISE = 10
"""Updates of `last_check` for each change they hide."""

OURS = "the daemon"
Samples = dict[str, list[Told]]


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

    def peer(self, peer: Peer) -> Told:
        """One of the others; empty where it failed."""
        self.wait(lambda: peer.prepare(self.server))
        try:
            return with_server(self.server, lambda: peer.run(self.server, self.start, self.changes))
        except PeerFailed as failed:
            say(f"  {failed}")
            return {}

    def rate(self, samples: list[Told]) -> float:
        return self.changes / median(samples, "seconds")


def rows(bench: Bench) -> list[Row]:
    """The backlog against the bare programs, hidden in noise, and against the peers."""
    backlog = Backlog(bench)
    with tempfile.TemporaryDirectory(prefix="chatello-bench-") as folder:
        file = Path(folder) / "transactions.bson"
        backlog.wait()
        recording.record(bench.server, file)
        samples = rounds(
            bench,
            {
                OURS: backlog.daemon,
                "bare writer": lambda: backlog.writer(file),
                "bare reader": backlog.reader,
            },
        )
    return [*_bare_rows(backlog, samples), _hidden_row(backlog), *_peer_rows(backlog)]


def _bare_rows(backlog: Backlog, samples: Samples) -> list[Row]:
    waiting = f"{backlog.changes:,} changes waiting"
    return [
        _faster(f"{waiting}: speed against a bare writer of the same documents", 0.8, backlog, samples, "bare writer"),
        _faster(f"{waiting}: speed against a bare reading loop", 0.4, backlog, samples, "bare reader"),
    ]


def _faster(what: str, goal: float, backlog: Backlog, samples: Samples, than: str, aside: str = "") -> Row:
    ours, theirs = backlog.rate(samples[OURS]), backlog.rate(samples[than])
    found = f"{ours / theirs:.2f} ({ours:,.0f} changes a second against {theirs:,.0f}){aside}"
    return Row(what, f"at least {goal:g}", found, ours / theirs >= goal, {OURS: samples[OURS], than: samples[than]})


def _hidden_row(backlog: Backlog) -> Row:
    """Daemon CPU with and without ten updates of `last_check` around every change."""
    hidden = f"hidden in {backlog.changes * NOISE:,} updates"
    samples = rounds(backlog.bench, {"plain": backlog.daemon, hidden: lambda: backlog.daemon(NOISE)})
    ours, plain = median(samples[hidden], "cpu_seconds"), median(samples["plain"], "cpu_seconds")
    what = f"the same {hidden} of `last_check`: CPU time of the daemon"
    found = f"{ours / plain:.2f} ({ours:.2f} s against {plain:.2f} s)"
    return Row(what, "at most 1.2", found, ours / plain <= 1.2, samples)


def _peer_rows(backlog: Backlog) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="chatello-peers-") as folder:
        found = peers.peers(Path(folder))
        for absent in found:
            if isinstance(absent, PeerFailed):
                say(f"  left out: {absent}")
        present = [peer for peer in found if not isinstance(peer, PeerFailed)]
        contenders = {peer.package: partial(backlog.peer, peer) for peer in present}
        samples = rounds(backlog.bench, {OURS: backlog.daemon, **contenders})
    rows = [_peer_row(backlog, peer, samples) for peer in present]
    return rows + [Row(f"against {str(one)[:60]}", "-", str(one)[:200], None) for one in found if one not in present]


def _peer_row(backlog: Backlog, peer: Peer, samples: Samples) -> Row:
    what = f"{backlog.changes:,} changes waiting: speed against {peer.package}, which only reads"
    told = samples[peer.package]
    if failed := [sample for sample in told if "seconds" not in sample]:
        return Row(what, "-", f"failed in {len(failed)} of {len(told)} rounds", None, {peer.package: told})
    row = _faster(what, 3, backlog, samples, peer.package, f"; {peer.lacks}")
    if peer.package != "tap-mongodb":
        row.goal, row.met = "-", None
    return row
