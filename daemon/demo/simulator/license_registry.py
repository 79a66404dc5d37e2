"""In-memory state of the simulated dashboard's documents, for reproducible random choices."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Generic, TypeVar

from bson import ObjectId

MAX_PICKS = 30
"""Number of random picks that look for a fitting value before any other is taken."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(slots=True)
class Card:
    """One license as the dashboard last wrote it; `plan` is a name."""

    customer_id: ObjectId
    plan: str
    status: str
    expires_at: datetime | None
    key: str

    def is_active(self, at: datetime) -> bool:
        return self.status == "active" and not self.is_lapsed(at)

    def is_lapsed(self, at: datetime) -> bool:
        """Whether the status is still `active` although the term has ended."""
        return self.status == "active" and self.expires_at is not None and self.expires_at <= at


class Registry(Generic[Key, Value]):
    """Mapping with random picks in constant time; a removed key is replaced by the last one."""

    def __init__(self) -> None:
        self.cards: dict[Key, Value] = {}
        self.keys: list[Key] = []
        self._positions: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys)

    def __getitem__(self, key: Key) -> Value:
        return self.cards[key]

    def add(self, key: Key, card: Value) -> None:
        if key not in self.cards:
            self._positions[key] = len(self.keys)
            self.keys.append(key)
        self.cards[key] = card

    def remove(self, key: Key) -> Value:
        position, last = self._positions.pop(key), self.keys.pop()
        if last != key:
            self.keys[position] = last
            self._positions[last] = position
        return self.cards.pop(key)

    def pick(self, rng: Random, fits: Callable[[Value], bool] | None = None) -> Key:
        """Return a random key, a fitting one if a few picks find any; raises IndexError if empty."""
        key = rng.choice(self.keys)
        for _ in range(MAX_PICKS if fits else 0):
            if fits is None or fits(self.cards[key]):
                break
            key = rng.choice(self.keys)
        return key
