"""Samples, rounds and rows: contenders take turns, medians are compared, a ratio is what is told."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.server import Server
from bench.subject import ROOT

Told = dict[str, float]
Contender = Callable[[], Told]
"""Does the work once, begun from the same state; what it took, by name of the measure."""


@dataclass(slots=True)
class Row:
    """One line of the table: what was measured, what came out, what was wanted."""

    what: str
    goal: str
    found: str
    met: bool | None
    """None where there is no goal, or nothing to compare with."""
    samples: Mapping[str, list[Told]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bench:
    """What every row needs: the server, how much of everything (1.0: as the issue says), and how often."""

    server: Server
    scale: float
    repetitions: int

    def scaled(self, count: int, step: int = 4000) -> int:
        """So many, at this bench's scale, in whole steps."""
        return max(step, int(count * self.scale) // step * step)


def rounds(bench: Bench, contenders: Mapping[str, Contender]) -> dict[str, list[Told]]:
    """Every contender once a round, in turn: whatever drifts, drifts for all."""
    samples: dict[str, list[Told]] = {name: [] for name in contenders}
    for number in range(bench.repetitions):
        for name, work in contenders.items():
            told = work()
            samples[name].append(told)
            shown = ", ".join(f"{key} {value:.3g}" for key, value in told.items())
            say(f"  round {number + 1} of {bench.repetitions}, {name}: {shown}")
    return samples


def median(samples: list[Told], measure: str) -> float:
    return statistics.median(sample[measure] for sample in samples)


def with_server(server: Server, work: Callable[[], Told]) -> Told:
    """The same, with the CPU time the server spent meanwhile."""
    before = server.cpu_seconds()
    told = work()
    return {**told, "server_cpu_seconds": server.cpu_seconds() - before}


def run_bare(server: Server, name: str, *arguments: str) -> dict[str, Any]:
    """What one of `bench.bare` tells."""
    command = [sys.executable, "-m", "bench.bare", name, server.uri, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def say(text: str) -> None:
    print(text, flush=True)
