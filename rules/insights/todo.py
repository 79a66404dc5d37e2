"""What the owner can do today: kinds, their limits, and the pure parts of their definitions."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from rules.model.changes import DocId

SHOWN = 5
"""Items of each kind; the others are only counted."""
EXPIRING_WITHIN = timedelta(days=14)
RENEWED_BY_HABIT = 2
"""A license that was renewed so often will probably be renewed again."""
FAILED_SINCE = timedelta(days=30)
"""A payment that failed earlier is not for today: the license has expired since."""
LOST_DAYS = 7
WITHOUT_LICENSE_AFTER, WITHOUT_LICENSE_UNTIL = timedelta(days=7), timedelta(days=30)


class TodoKind(StrEnum):
    PAYMENT_FAILED = "payment_failed"
    EXPIRING = "expiring"
    LOST = "lost"
    WITHOUT_LICENSE = "without_license"


class TodoItem(NamedTuple):
    """A customer to care about: the license and its plan if the kind has one, when it happened or will, and the cents.

    The cents are the failed payment, the MRR that ends, or the MRR that was lost.
    """

    customer_id: DocId
    at: datetime
    cents: int | None = None
    license_id: DocId = None
    plan_id: DocId = None


class TodoGroup(NamedTuple):
    """At most `SHOWN` items of one kind, and how many there are in all; with `has_more` there are more than `total`.

    `habitual` of them are left out because they are usually renewed; of `unread` ones that is not known. `cents` are
    those of all others, None if unknown.
    """

    kind: TodoKind
    items: list[TodoItem]
    total: int
    habitual: int = 0
    unread: int = 0
    cents: int | None = None
    has_more: bool = False

    @property
    def others(self) -> int:
        """The number of items that are neither shown nor habitual, as far as that is known."""
        return self.total - self.habitual - self.unread - len(self.items)


def group(kind: TodoKind, items: list[TodoItem], *, has_more: bool = False) -> TodoGroup:
    """Return a group of all items, or with `has_more` of those that were read."""
    amounts = [item.cents for item in items]
    cents = None if has_more or None in amounts else sum(amount or 0 for amount in amounts)
    return TodoGroup(kind, items[:SHOWN], len(items), cents=cents, has_more=has_more)


def expiring(unusual: list[TodoItem], habitual: int, total: int) -> TodoGroup:
    """Return the licenses that end soon, without the habitual ones; both are those among the next of `total`."""
    unread = total - len(unusual) - habitual
    found = group(TodoKind.EXPIRING, unusual, has_more=unread > 0)
    return found._replace(total=total, habitual=habitual, unread=unread, has_more=False)


def not_recovered(failures: Iterable[TodoItem], completed: Mapping[DocId, datetime]) -> list[TodoItem]:
    """Return the newest failure of each license without a later payment; `failures` are newest first.

    `completed` has the time of the newest completed payment by license, or by customer for payments without a license.
    """
    newest: dict[DocId, TodoItem] = {}
    for failure in failures:
        newest.setdefault(payment_key(failure), failure)
    return [item for key, item in newest.items() if key not in completed or completed[key] < item.at]


def payment_key(item: TodoItem) -> DocId:
    return item.customer_id if item.license_id is None else item.license_id
