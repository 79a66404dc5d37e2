"""What messages are made of, and a message."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from rules.settings import message_texts


class Message(NamedTuple):
    """A message: `text` has one fact a line and is complete without the subject. `key` is the same for a repetition."""

    key: str
    subject: str
    text: str


class PeriodNumbers(NamedTuple):
    """A final row as a message shows it.

    `numbers` and `before` (the row of the period before; empty if there is none) are those that `rules.rows.announced`
    reads, `facts` the facts of its note, `interrupted` the seconds that the stream was not followed.
    """

    first: date
    last: date
    numbers: Mapping[str, int | float]
    before: Mapping[str, int | float] = {}
    facts: tuple[str, ...] = ()
    new_customers: int = 0
    interrupted: float = 0

    @property
    def is_quiet(self) -> bool:
        """Return whether nothing happened: no event, levels (the MRR) as before, nothing counted of the period."""
        is_changed = any(
            self.before.get(name) != value if name in message_texts.NUMBERS else value
            for name, value in self.numbers.items()
        )
        return not self.facts and not is_changed
