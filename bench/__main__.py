"""The command of `make bench`."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import structlog

from bench import against as comparison
from bench import (
    backlog,
    burst,
    checkout,
    commands,
    customer_pages,
    delivery,
    feed,
    growth,
    idle,
    large,
    latency,
    outage,
    page,
    pages,
    script,
    server,
)
from bench.measures import Bench, Row, print_line

GROUPS: dict[str, Callable[[Bench], list[Row]]] = {
    "backlog": backlog.rows,
    "latency": latency.rows,
    "burst": burst.rows,
    "idle": idle.rows,
    "large": large.rows,
    "growth": growth.rows,
    "feed": feed.rows,
    "pages": pages.rows,
    "commands": commands.rows,
    "outage": outage.rows,
    "delivery": delivery.rows,
    "script": script.rows,
    "customers": customer_pages.rows,
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
@click.option("--against", help="Commit to compare this checkout with; docs/ is not changed.")
@click.option("--into", type=click.Path(path_type=Path), help="Folder of performance.md and .json.")
def main(only: list[str], scale: float, repetitions: int, against: str | None, into: Path | None) -> None:
    """Measure the daemon on a throw-away MongoDB; write docs/performance.md and .json. Asserts no time.

    Example: python -m bench --only latency,burst
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if against is not None:
        _compare([name for name in only if name in comparison.GROUPS], scale, repetitions, against)
        return
    folder = into or (checkout.ROOT / "docs" if scale >= 1 else checkout.FOLDER)
    measured = page.load(folder)
    for name in only:
        with _group(name, scale, repetitions) as bench:
            described = page.machine(bench)
            found = GROUPS[name](bench)
        _print(found)
        measured[name] = page.group(bench, found, described)
        page.write(folder, measured, list(GROUPS))
    print_line(f"written: {folder / page.PAGE}")


def _compare(names: list[str], scale: float, repetitions: int, commit: str) -> None:
    """Print the rows of the daemons of this checkout and of a commit, which take turns."""
    with checkout.at(commit) as other:
        for name in names:
            with _group(name, scale, repetitions) as bench:
                print_line(str(page.machine(bench)))
                _print(comparison.GROUPS[name](bench, (checkout.this(), other)))


@contextmanager
def _group(name: str, scale: float, repetitions: int) -> Iterator[Bench]:
    began = time.perf_counter()
    print_line(f"== {name}")
    with server.running() as running:
        yield Bench(running, scale, repetitions)
    print_line(f"== {name}: {time.perf_counter() - began:.0f} s")


def _print(rows: list[Row]) -> None:
    for row in rows:
        print_line(f"{row.what}: {row.found}; goal {row.goal}")


if __name__ == "__main__":
    main()
