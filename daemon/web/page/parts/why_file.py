"""The rows of an explained number as lines of a file."""

from collections.abc import Iterator

from daemon.export.cells import Cell, Column, Kind
from daemon.web.page import why_texts
from daemon.web.page.parts.why import WhyView
from rules.rows.accounts import Account, Unit

COLUMNS = [Column(name, Kind.TEXT, "") for name in why_texts.FILE_COLUMNS]


def cells(view: WhyView) -> Iterator[list[Cell]]:
    """Yield the lines of each account, from its start to its total; amounts are numbers."""
    for shown, account in zip(view.accounts(), view.source.question.accounts, strict=False):
        lines = [*([shown.start] if shown.start else []), *shown.lines]
        texts = [[line.when, line.what, line.who, line.plan] for line in lines]
        texts.append(["", why_texts.IN_ALL, "", ""])
        for text, amount in zip(texts, _amounts(account), strict=True):
            yield [shown.name, *text, amount / 100 if account.unit is Unit.CENTS else amount]


def _amounts(account: Account) -> Iterator[int]:
    """Yield the amounts in the order of the lines."""
    if account.carried is not None:
        yield account.before
    if account.skipped:
        yield account.skipped
    yield from (line.amount for line in account.lines)
    yield from (rest.amount for rest in account.rest.values())
    yield account.total
