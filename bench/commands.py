"""Start time of the command line, and import time of the daemon."""

import os
import statistics
import subprocess
import time
from typing import NamedTuple

from bench.checkout import ROOT, this
from bench.measures import Bench, Row
from daemon.demo.embedded_mongo import free_port
from daemon.errors import ConfigurationError

GOAL_SECONDS = 0.5
RUNS = 15
INVALID_URI = "mongodb://"
"""Lets `run` read its configuration, import, bind its port, and end where it would connect."""


class Command(NamedTuple):
    arguments: tuple[str, ...]
    status: int = 0
    has_goal: bool = True


ALL = "import of the whole daemon with its web server, which a thread loads while the stream opens"
LIBRARIES = "import of the libraries that this loads"
LIBRARY_IMPORTS = "import pymongo, structlog, prometheus_client, schedule, fastapi, uvicorn, jinja2"
COMMANDS = {
    "`chatello-analytics run` until it would connect": Command(("-m", "daemon", "run"), ConfigurationError.exit_status),
    ALL: Command(("-c", "import daemon.app, daemon.web.app, uvicorn"), has_goal=False),
    LIBRARIES: Command(("-c", LIBRARY_IMPORTS), has_goal=False),
    "`chatello-analytics --help`": Command(("-m", "daemon", "--help")),
    "`chatello-analytics run --help`": Command(("-m", "daemon", "run", "--help")),
}


def rows(_bench: Bench) -> list[Row]:
    """Run all commands in turn, round by round."""
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            took[name].append(_seconds(command))
    return [_row(name, command, took[name]) for name, command in COMMANDS.items()]


def _row(name: str, command: Command, took: list[float]) -> Row:
    middle = statistics.median(took)
    samples = {name: [{"seconds": seconds} for seconds in took]}
    found = f"{middle:.2f} s, at best {min(took):.2f} s"
    if not command.has_goal:
        return Row(name, "-", found, None, samples)
    return Row(name, f"below {GOAL_SECONDS} s", found, middle < GOAL_SECONDS, samples)


def _seconds(command: Command) -> float:
    environment = {**os.environ, "MONGODB_URI": INVALID_URI, "CHATELLO_HTTP__PORT": str(free_port())}
    began = time.perf_counter()
    done = subprocess.run(
        [this().python, *command.arguments], cwd=ROOT, capture_output=True, env=environment, check=False
    )
    took = time.perf_counter() - began
    if done.returncode != command.status:
        raise RuntimeError(f"{command.arguments} ended with {done.returncode}: {done.stderr[-500:]!r}")
    return took
