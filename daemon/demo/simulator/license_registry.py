"""What the pretend dashboard remembers of its licences, so that chance picks the same one every time."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Generic, TypeVar

from bson import ObjectId

TRIES = 30
"""A random card that fits is looked for this often before anything else is taken."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(slots=True)
class Card:
    """One licence as this dashboard last wrote it; `plan` is a name."""

    customer_id: ObjectId
    plan: str
    status: str
    expires_at: datetime | None
    key: str

    def is_active(self, at: datetime) -> bool:
        return self.status == "active" and not self.is_lapsed(at)

    def is_lapsed(self, at: datetime) -> bool:
        """Active by its status, past its term, and nobody has written so."""
        return self.status == "active" and self.expires_at is not None and self.expires_at <= at


class Register(Generic[Key, Value]):
    """A mapping one can pick from at random in constant time; removal fills the hole with the last key."""

    def __init__(self) -> None:
        self.cards: dict[Key, Value] = {}
        self.keys: list[Key] = []
        self._places: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys)

    def __getitem__(self, key: Key) -> Value:
        return self.cards[key]

    def add(self, key: Key, card: Value) -> None:
        if key not in self.cards:
            self._places[key] = len(self.keys)
            self.keys.append(key)
        self.cards[key] = card

    def remove(self, key: Key) -> Value:
        place, last = self._places.pop(key), self.keys.pop()
        if last != key:
            self.keys[place] = last
            self._places[last] = place
        return self.cards.pop(key)

    def pick(self, chance: Random, fits: Callable[[Value], bool] | None = None) -> Key:
        """A random key, one that fits if a few tries find any; raises IndexError while empty."""
        key = chance.choice(self.keys)
        for _ in range(TRIES if fits else 0):
            if fits is None or fits(self.cards[key]):
                break
            key = chance.choice(self.keys)
        return key
