"""Progress bar on stderr (done, rate, time left) and Ctrl-C handling for long commands."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress_bar(description: str, total: float | None, unit: str) -> Iterator[Callable[[float], object]]:
    """Show a bar if stderr is a terminal. Yield the function to call with each amount of work done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total, rate="")

        def advance(amount: float) -> None:
            progress.advance(task, amount)
            speed = progress.tasks[0].speed
            progress.update(task, rate=f"{speed:,.0f} {unit}/s" if speed else "")

        yield advance


@contextmanager
def interruptible(hint: str | Callable[[], str]) -> Iterator[None]:
    """On Ctrl-C print one line with the hint and exit with status 130; a callable hint is evaluated at that time."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nstopped; {hint() if callable(hint) else hint}", err=True)
        raise SystemExit(130) from None
