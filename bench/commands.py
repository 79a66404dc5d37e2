"""How long a person waits for the command line."""

import statistics
import subprocess
import sys
import time

from bench.measures import Bench, Row
from bench.subject import ROOT

GOAL_SECONDS = 0.5
RUNS = 5
COMMANDS = {
    "import of the whole daemon": ("-c", "import daemon.app"),
    "`chatello-analytics --help`": ("-m", "daemon", "--help"),
    "`chatello-analytics run --help`": ("-m", "daemon", "run", "--help"),
}


def rows(_bench: Bench) -> list[Row]:
    found = {name: statistics.median(_seconds(arguments) for _ in range(RUNS)) for name, arguments in COMMANDS.items()}
    return [Row(name, "below 0.5 s", f"{took:.2f} s", took < GOAL_SECONDS) for name, took in found.items()]


def _seconds(arguments: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began
