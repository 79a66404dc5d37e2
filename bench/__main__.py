"""The command behind `make bench`."""

import click

from bench import backlog, server
from bench.measures import Bench, say

ROWS = {"backlog": backlog.rows}


@click.command()
@click.option("--only", default=",".join(ROWS), help="Some rows only, by name, with commas between.")
@click.option("--scale", default=1.0, help="How much of everything: 0.1 tries it out.")
@click.option("--repetitions", default=3)
def main(only: str, scale: float, repetitions: int) -> None:
    """Measure the daemon and write docs/performance.md."""
    with server.running() as running:
        bench = Bench(running, scale, repetitions)
        for name in only.split(","):
            for row in ROWS[name](bench):
                say(f"{row.what}: {row.found}; wanted {row.goal}")


if __name__ == "__main__":
    main()
