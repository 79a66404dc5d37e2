"""The command of `make bench`."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from bench import backlog, burst, commands, delivery, feed, idle, large, latency, outage, page, server
from bench.measures import Bench, Row, print_line
from bench.subject import ROOT

GROUPS: dict[str, Callable[[Bench], list[Row]]] = {
    "backlog": backlog.rows,
    "latency": latency.rows,
    "burst": burst.rows,
    "idle": idle.rows,
    "large": large.rows,
    "feed": feed.rows,
    "commands": commands.rows,
    "outage": outage.rows,
    "delivery": delivery.rows,
}


def _names(_context: click.Context, _option: click.Parameter, value: str) -> list[str]:
    names = value.split(",")
    if unknown := [name for name in names if name not in GROUPS]:
        raise click.BadParameter(f"unknown group {unknown[0]!r}; expected any of {', '.join(GROUPS)}")
    return names


@click.command()
@click.option("--only", default=",".join(GROUPS), callback=_names, help="Groups to measure, separated by commas.")
@click.option("--scale", default=1.0, help="Scale of all quantities; below 1, docs/ is not changed.")
@click.option("--repetitions", default=3, help="Number of interleaved rounds; the table shows medians.")
@click.option("--into", type=click.Path(path_type=Path), help="Folder of performance.md and .json.")
def main(only: list[str], scale: float, repetitions: int, into: Path | None) -> None:
    """Measure the daemon on a throw-away MongoDB; write docs/performance.md and .json. Asserts no time.

    Example: python -m bench --only latency,burst
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = into or (ROOT / "docs" if scale >= 1 else ROOT / ".bench")
    measured = page.load(folder)
    for name in only:
        began = time.perf_counter()
        print_line(f"== {name}")
        with server.running() as running:
            bench = Bench(running, scale, repetitions)
            described = page.machine(bench)
            found = GROUPS[name](bench)
        for row in found:
            print_line(f"{row.what}: {row.found}; goal {row.goal}")
        measured[name] = page.group(bench, found, described)
        page.write(folder, measured, list(GROUPS))
        print_line(f"== {name}: {time.perf_counter() - began:.0f} s")
    print_line(f"written: {folder / page.PAGE}")


if __name__ == "__main__":
    main()
