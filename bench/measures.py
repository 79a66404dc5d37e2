"""Samples, rounds and rows: contenders alternate, and rows show the ratio of their medians."""

import json
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.checkout import ROOT, this
from bench.server import Server

Sample = dict[str, float]
Contender = Callable[[], Sample]
"""Do the work once from the same state; return the measured values by name."""


@dataclass(slots=True)
class Row:
    """One line of the table: description, goal and result."""

    what: str
    goal: str
    found: str
    met: bool | None
    """None without a goal or a comparison."""
    samples: Mapping[str, list[Sample]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bench:
    """Server, scale of all quantities (1.0 is full size) and number of rounds."""

    server: Server
    scale: float
    repetitions: int

    def scaled(self, count: int, step: int = 4000) -> int:
        """Return `count` at the bench's scale, rounded down to a multiple of `step`, at least one step."""
        return max(step, int(count * self.scale) // step * step)


def run_rounds(bench: Bench, contenders: Mapping[str, Contender]) -> dict[str, list[Sample]]:
    """Run every contender once per round, in alternating order, so that drift affects all of them."""
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    for number in range(bench.repetitions):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            sample = contenders[name]()
            samples[name].append(sample)
            shown = ", ".join(f"{key} {value:.3g}" for key, value in sample.items())
            print_line(f"  round {number + 1} of {bench.repetitions}, {name}: {shown}")
    return samples


def median(samples: list[Sample], measure: str) -> float:
    return statistics.median(sample[measure] for sample in samples)


def with_server(server: Server, work: Callable[[], Sample]) -> Sample:
    """Run `work` and add the CPU time of the server to its sample."""
    before = server.cpu_seconds()
    sample = work()
    return {**sample, "server_cpu_seconds": server.cpu_seconds() - before}


def run_bare(server: Server, name: str, *arguments: str) -> dict[str, Any]:
    """Run a program of `bench.bare`; return its output."""
    command = [str(this().python), "-m", "bench.bare", name, server.uri, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def print_line(text: str) -> None:
    print(text, flush=True)
