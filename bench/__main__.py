"""The command behind `make bench`."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from bench import backlog, burst, commands, feed, idle, large, latency, page, server
from bench.measures import Bench, Row, say
from bench.subject import ROOT

GROUPS: dict[str, Callable[[Bench], list[Row]]] = {
    "backlog": backlog.rows,
    "latency": latency.rows,
    "burst": burst.rows,
    "idle": idle.rows,
    "large": large.rows,
    "feed": feed.rows,
    "commands": commands.rows,
}


def _chosen(_context: click.Context, _option: click.Parameter, given: str) -> list[str]:
    names = given.split(",")
    if stray := [name for name in names if name not in GROUPS]:
        raise click.BadParameter(f"there is no {stray[0]!r}; wanted some of {', '.join(GROUPS)}")
    return names


@click.command()
@click.option("--only", default=",".join(GROUPS), callback=_chosen, help="Some groups of rows, with commas between.")
@click.option("--scale", default=1.0, help="How much of everything: 0.05 tries it out, and leaves docs/ alone.")
@click.option("--repetitions", default=3, help="Rounds in which the contenders take turns; medians are told.")
@click.option("--into", type=click.Path(path_type=Path), help="Where performance.md and .json go.")
def main(only: list[str], scale: float, repetitions: int, into: Path | None) -> None:
    """Measure the daemon on a throw-away MongoDB; write docs/performance.md and .json. Asserts no time.

    Example: python -m bench --only latency,burst
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = into or (ROOT / "docs" if scale >= 1 else ROOT / ".bench")
    measured = page.load(folder)
    for name in only:
        began = time.perf_counter()
        say(f"== {name}")
        with server.running() as running:
            bench = Bench(running, scale, repetitions)
            described = page.machine(bench)
            found = GROUPS[name](bench)
        for row in found:
            say(f"{row.what}: {row.found}; wanted {row.goal}")
        measured[name] = page.group(bench, found, described)
        page.write(folder, measured, list(GROUPS))
        say(f"== {name}: {time.perf_counter() - began:.0f} s")
    say(f"written: {folder / page.PAGE}")


if __name__ == "__main__":
    main()
