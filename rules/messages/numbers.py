"""The five numbers of a message, with their change."""

from collections.abc import Iterator, Mapping

from rules.settings import italian, message_texts

Numbers = Mapping[str, int | float]


def value(field: str, amount: object) -> str:
    """Return a number of a row: € 7,99 or 1.234; a dash if it is unknown."""
    cents = italian.number(amount)
    if field in message_texts.MONEY and cents is not None:
        return italian.euro(cents / 100)
    return italian.integer(amount)


def step(field: str, before: object, after: object) -> str:
    """Return the signed change of a number; "=" if there is none, a dash if one of the two is unknown."""
    known = italian.number(before), italian.number(after)
    if known[0] is None or known[1] is None:
        return italian.DASH
    change = known[1] - known[0]
    if not change:
        return message_texts.UNCHANGED
    return ("" if change < 0 else "+") + value(field, change)


def lines(numbers: Numbers, before: Numbers) -> Iterator[str]:
    """Yield a line for each number that is known."""
    for field, name in message_texts.NUMBERS.items():
        if italian.number(numbers.get(field)) is None:
            continue
        shown = value(field, numbers[field])
        if italian.number(before.get(field)) is None:
            yield message_texts.NUMBER_ALONE.format(name=name, value=shown)
        else:
            change = step(field, before[field], numbers[field])
            yield message_texts.NUMBER.format(name=name, value=shown, change=change)
