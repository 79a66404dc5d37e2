"""The customers of many facts: the first names, and the number of all of them, in bounded memory."""

from dataclasses import dataclass, field
from typing import Protocol

from rules.settings.catalog import ANONYMOUS
from rules.settings.italian import and_other_customers, and_others
from rules.text import name_text

MAX_CUSTOMERS = 10_000
"""Up to this many customers are counted exactly."""


class About(Protocol):
    """A fact with the name and the id of its customer, both "" if unknown."""

    @property
    def name(self) -> str: ...
    @property
    def owner(self) -> str: ...


@dataclass(slots=True)
class NamedCustomers:
    """Customers by id, or by name if the id is unknown; two customers may have one name.

    `names` are the first ones with a name of their own, `owners` the hashes of all ids, `unknown` the number of facts
    without a customer.
    """

    names: dict[str, None] = field(default_factory=dict)
    named: set[int] = field(default_factory=set)
    owners: set[int] = field(default_factory=set)
    unknown: int = 0

    def add(self, fact: About, max_names: int) -> None:
        name = "" if fact.name in ANONYMOUS else name_text(fact.name)
        owner = fact.owner or name
        if not owner:
            self.unknown += 1
            return
        if len(self.owners) <= MAX_CUSTOMERS:
            self.owners.add(hash(owner))
        if name and name not in self.names and len(self.names) < max_names:
            self.names[name] = None
            self.named.add(hash(owner))

    @property
    def total(self) -> int | None:
        """The number of customers; None if there are too many to count."""
        return len(self.owners) + self.unknown if len(self.owners) <= MAX_CUSTOMERS else None

    @property
    def others(self) -> bool:
        """Whether there are more customers than names."""
        return self.total is None or self.total > len(self.named)

    def listed(self) -> str:
        """Return the names and the number of other customers: "Ada, Bea e altri 4"."""
        names, total = ", ".join(self.names), self.total
        if not self.others:
            return names
        return f"{names} {and_other_customers() if total is None else and_others(total - len(self.named))}"
