"""Delay between a committed event and its webhook; what a dead target and one more target cost the daemon."""

import base64
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench import latency, state
from bench.backlog import Backlog
from bench.latency import STOCK, EventPoller
from bench.measures import Bench, Row, Sample, median, run_rounds
from bench.subject import ready

WAIT_SECONDS = 30.0
DEAD_SHARE = 1.2
SHORTER = 3


class Receiver(ThreadingHTTPServer):
    """Accepts every request and records when each id first arrived."""

    daemon_threads = True

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        super().__init__(("127.0.0.1", 0), _Handler)

    def wait_for(self, message_id: str) -> float:
        """Return when a message arrived."""
        deadline = time.perf_counter() + WAIT_SECONDS
        while message_id not in self.arrived:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"no message {message_id} within {WAIT_SECONDS:.0f} seconds")
            time.sleep(latency.POLL_SECONDS)
        return self.arrived[message_id]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.arrived.setdefault(self.headers["webhook-id"], time.perf_counter())
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def receiving() -> Iterator[tuple[Receiver, tuple[str, str]]]:
    """Yield a receiver and the arguments of a daemon that delivers to it."""
    with Receiver() as receiver, _configuration(receiver.server_address[1]) as arguments:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver, arguments
        receiver.shutdown()


@contextmanager
def dead() -> Iterator[tuple[str, str]]:
    """Yield the arguments of a daemon whose target takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening, _configuration(listening.getsockname()[1]) as arguments:
        yield arguments


@contextmanager
def _configuration(port: int) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="chatello-bench-") as folder:
        secret = Path(folder) / "targets" / "bench"
        secret.parent.mkdir()
        secret.write_text(f"whsec_{base64.b64encode(os.urandom(32)).decode()}")
        secret.chmod(0o600)
        file = Path(folder) / "config.toml"
        file.write_text(f'[webhooks.bench]\nurl = "http://127.0.0.1:{port}/"\n')
        yield "--config", str(file)


def rows(bench: Bench) -> list[Row]:
    return [*_delays(bench), _dead_target(bench), *_backlogs(bench)]


def _delays(bench: Bench) -> list[Row]:
    begun, writes = state.bootstrapped(bench.server, STOCK), latency.writes_of(bench)
    samples = run_rounds(bench, {"webhook": lambda: _delay(bench, begun, writes)})
    return [_delay_row(name, goal, samples) for name, goal in (("p50", 50.0), ("p99", 200.0))]


def _delay_row(name: str, goal: float, samples: dict[str, list[Sample]]) -> Row:
    found = median(samples["webhook"], name)
    kept = samples if name == "p50" else {}
    what = f"delay from a readable event to its webhook, {name}"
    return Row(what, f"at most {goal:.0f} ms", f"{found:.1f} ms", found <= goal, kept)


def _delay(bench: Bench, begun: state.State, writes: int) -> Sample:
    begun.restore(bench.server)
    with receiving() as (receiver, arguments), ready(bench.server.uri, *arguments), EventPoller(bench.server) as poller:
        delays = [_one_delay(bench, receiver, poller, number) for number in range(STOCK, STOCK + writes)]
    return latency.percentiles(delays)


def _one_delay(bench: Bench, receiver: Receiver, poller: EventPoller, number: int) -> float:
    latency.pause(number)
    event = latency.event_of(number)
    latency.write(bench.server, number)
    while not poller.finds({"_id": event}):
        time.sleep(latency.POLL_SECONDS)
    readable = time.perf_counter()
    return max(0.0, receiver.wait_for(str(event)) - readable)


def _dead_target(bench: Bench) -> Row:
    """Compare the delay until an event is readable: the outbox is part of its transaction.

    One slow write decides about a p99, so there are more and shorter rounds.
    """
    begun, writes = state.bootstrapped(bench.server, STOCK), latency.writes_of(bench) // SHORTER
    with receiving() as (_, fast), dead() as silent:
        samples = run_rounds(
            replace(bench, repetitions=SHORTER * bench.repetitions),
            {
                "no target": lambda: _commits(bench, begun, writes, ()),
                "a fast target": lambda: _commits(bench, begun, writes, fast),
                "a dead target": lambda: _commits(bench, begun, writes, silent),
            },
        )
    without, quick, stuck = (median(found, "p99") for found in samples.values())
    found = f"{stuck / quick:.2f} ({stuck:.1f} ms against {quick:.1f} ms; without a target {without:.1f} ms)"
    what = "delay until an event is readable with a dead target against a fast one, p99"
    return Row(what, f"at most {DEAD_SHARE}", found, stuck / quick <= DEAD_SHARE, samples)


def _commits(bench: Bench, begun: state.State, writes: int, arguments: tuple[str, ...]) -> Sample:
    begun.restore(bench.server)
    with latency.following(bench.server, arguments=arguments) as measure:
        return latency.percentiles([measure(number) for number in range(STOCK, STOCK + writes)])


def _backlogs(bench: Bench) -> list[Row]:
    backlog = Backlog(bench)
    with receiving() as (_, arguments):
        samples = run_rounds(bench, {"without": backlog.daemon, "with a target": lambda: backlog.daemon(*arguments)})
    without, delivering = (backlog.rate(samples[name]) for name in ("without", "with a target"))
    found = f"{delivering:,.0f} changes a second against {without:,.0f} without a target"
    return [Row("backlog with one webhook", "-", found, None, samples)]
