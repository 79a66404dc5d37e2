"""How long work shows that it gets on: on stderr, what is done, how fast, and how long it will take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def shown(what: str, total: float | None, unit: str) -> Iterator[Callable[[float], object]]:
    """A bar on a terminal; elsewhere silence. Yields what is to be called with each further bit of work done."""
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
        task = progress.add_task(what, total=total, rate="")

        def advance(amount: float) -> None:
            progress.advance(task, amount)
            speed = progress.tasks[0].speed
            progress.update(task, rate=f"{speed:,.0f} {unit}/s" if speed else "")

        yield advance


@contextmanager
def interruptible(cure: str | Callable[[], str]) -> Iterator[None]:
    """Ctrl-C ends the work in order, with one sentence (made then, if it can only be known then) and status 130."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nstopped; {cure() if callable(cure) else cure}", err=True)
        raise SystemExit(130) from None
