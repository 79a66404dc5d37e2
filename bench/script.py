"""The daemon against the script of an afternoon (`bench.peers.transaction_script`): speed, delay, and what is wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench import latency, shop, situations, state
from bench.backlog import DAEMON, Backlog
from bench.measures import Bench, Row, Sample, median, print_line, run_rounds, with_server
from bench.peers.script_process import SCRIPT, ScriptProcess
from bench.server import DATABASE, Server

CHANGES = 4000
"""Enough for the script, which takes some fifteen seconds for them."""


def rows(bench: Bench) -> list[Row]:
    return [_speed(bench), _delay(bench), *situations.rows()]


def _speed(bench: Bench) -> Row:
    large, small = Backlog(bench), Backlog(bench, changes=CHANGES)
    samples = run_rounds(bench, {DAEMON: large.daemon, SCRIPT: lambda: _backlog(small)})
    own, other = large.rate(samples[DAEMON]), small.rate(samples[SCRIPT])
    what = f"{large.changes:,} changes waiting: speed against a script with one transaction per change"
    found = f"{own / other:.1f} ({own:,.0f} changes per second against {other:,.0f})"
    return Row(what, "at least 10", found, own / other >= 10, samples)


def _backlog(backlog: Backlog) -> Sample:
    server = backlog.server
    backlog.wait(lambda: ScriptProcess(server.uri, server.database, 0).result())
    return with_server(
        server, lambda: {"seconds": ScriptProcess(server.uri, server.database, backlog.changes).result()}
    )


def _delay(bench: Bench) -> Row:
    """Let both follow a database of their own on one server; changes alternate between the two."""
    names = (DAEMON, SCRIPT)
    servers = [replace(bench.server, database=f"{DATABASE}_{number}") for number in range(2)]
    begun = [state.bootstrapped(server, latency.STOCK) for server in servers]
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    for number in range(bench.repetitions):
        for server, saved in zip(servers, begun, strict=True):
            saved.restore(server)
        with latency.following(servers[0]) as own, _following(servers[1]) as other:
            delays = latency.alternate((own, other), latency.writes_of(bench))
        for name, measured in zip(names, delays, strict=True):
            samples[name].append(latency.percentiles(measured))
            print_line(f"  round {number + 1} of {bench.repetitions}, {name}: {samples[name][-1]}")
    daemon, script = (median(samples[name], "p50") for name in names)
    what = "delay from a written license to its readable event against that script, p50"
    found = f"{daemon / script:.2f} ({daemon:.1f} ms against {script:.1f} ms)"
    return Row(what, "at most 0.8", found, daemon / script <= 0.8, samples)


@contextmanager
def _following(server: Server) -> Iterator[Callable[[int], float]]:
    process = ScriptProcess(server.uri, server.database)
    process.wait_until_ready()
    try:
        with latency.EventPoller(server) as poller:
            yield lambda number: latency.delay_of_event(server, poller, number, {"license_id": shop.license_id(number)})
    finally:
        process.kill()
