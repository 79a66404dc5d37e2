"""The limit of deletions applied without approval: the same deletion exceeds it for any split, kill and repetition."""

import itertools
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.handlers import mass_deletion
from rules.handlers.mass_deletion import MassDeletion
from rules.model.changes import Change, Operation, Origin, Source
from rules.settings.settings import DeletionLimit, Settings
from tests.rules.histories import cuts, histories
from tests.rules.shop import Shop

BEGIN = datetime(2025, 3, 3, 9, 0, 30, tzinfo=UTC)
PRO = {"name": "pro", "price": 7.99, "display_name": "Pro"}
LIMITS = Settings(deletion_limit=DeletionLimit(5, 0.2))


class Stream:
    """Builds changes with ascending causes, ten milliseconds apart unless a later time is given."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.at = BEGIN

    def add(self, source: Source, op: Operation, doc_id: Any, **fields: Any) -> None:
        cause = f"{len(self.changes):06}"
        self.changes.append(Change(source, op, doc_id, self.at, cause, fields))
        self.at += timedelta(milliseconds=10)

    def customers(self, count: int) -> "Stream":
        for number in range(count):
            self.add(Source.CUSTOMERS, Operation.INSERT, f"c{number}", name=f"C{number}")
        return self

    def licenses(self, count: int) -> "Stream":
        self.add(Source.PLANS, Operation.INSERT, "pro", **PRO)
        for number in range(count):
            self.add(Source.LICENSES, Operation.INSERT, number, customer_id="c0", plan_id="pro", status="active")
        return self

    def delete(self, source: Source, ids: Sequence[Any], apart: timedelta = timedelta()) -> "Stream":
        for doc_id in ids:
            self.add(source, Operation.DELETE, doc_id)
            self.at += apart
        return self


def refused(changes: Sequence[Change], at: Collection[int] = (), settings: Settings = LIMITS) -> tuple[Shop, Any]:
    """Apply a stream as the daemon does, up to the refused deletion; return the shop and that change, None without.

    A batch that is refused is applied again up to the deletion.
    """
    shop = Shop(settings)
    edges = [0, *(edge for edge in sorted(at) if edge < len(changes)), len(changes)]
    for first, last in itertools.pairwise(edges):
        try:
            shop.follow(changes[first:last])
        except MassDeletion as found:
            shop.follow(changes[first : changes.index(found.change)])
            return shop, found.change
    return shop, None


def names(count: int) -> list[str]:
    return [f"c{number}" for number in range(count)]


@pytest.mark.parametrize(
    ("known", "deleted", "applied"),
    [
        (64, 30, 12),  # a fifth of 64 is 12.8
        (12, 12, 5),
        (12, 6, 5),
        (12, 5, None),
        (5, 5, None),
        (1000, 200, None),
        (1000, 201, 200),
    ],
)
def test_the_first_deletion_above_number_and_share_is_refused(known: int, deleted: int, applied: int | None) -> None:
    stream = Stream().customers(known).delete(Source.CUSTOMERS, names(deleted))

    shop, found = refused(stream.changes)

    assert (found and found.id) == (None if applied is None else f"c{applied}")
    assert shop.totals.customers == known - (deleted if applied is None else applied)


def test_licenses_of_any_status_are_counted_apart_from_customers() -> None:
    stream = Stream().customers(12).licenses(12)
    stream.add(Source.LICENSES, Operation.UPDATE, 0, status="cancelled")
    for number in range(5):
        stream.delete(Source.CUSTOMERS, [f"c{number}"]).delete(Source.LICENSES, [number])
    stream.delete(Source.LICENSES, [5])

    shop, found = refused(stream.changes)

    assert (found.source, found.id) == (Source.LICENSES, 5)
    assert shop.totals.customers == 7


def test_deletions_further_apart_than_the_window_are_applied() -> None:
    stream = Stream().customers(12).delete(Source.CUSTOMERS, names(12), timedelta(minutes=2))

    shop, found = refused(stream.changes)

    assert found is None
    assert len(shop.memory[mass_deletion.DELETIONS]) <= mass_deletion.WINDOW_MINUTES


def test_deletions_of_unknown_documents_payments_and_plans_do_not_count() -> None:
    stream = Stream().customers(6).licenses(1).delete(Source.CUSTOMERS, [f"other{number}" for number in range(20)])
    stream.delete(Source.PAYMENTS, range(20)).delete(Source.LICENSES, range(1, 20))
    stream.delete(Source.CUSTOMERS, ["c0"] * 20).delete(Source.PLANS, ["pro"])

    assert refused(stream.changes)[1] is None


def test_an_approved_deletion_is_not_counted() -> None:
    stream = Stream().customers(12).delete(Source.CUSTOMERS, names(12))
    changes = [change._replace(origin=Origin.RECOVERED) for change in stream.changes]

    assert refused(changes)[1] is None


def test_without_a_limit_every_deletion_is_applied() -> None:
    stream = Stream().customers(12).delete(Source.CUSTOMERS, names(12))

    assert refused(stream.changes, settings=Settings())[1] is None


def test_the_error_names_the_collection_and_the_numbers() -> None:
    stream = Stream().customers(12).delete(Source.CUSTOMERS, names(6))

    with pytest.raises(MassDeletion, match="6 of 12 customers were deleted within 10 minutes"):
        Shop(LIMITS).follow(stream.changes)


def test_the_window_ends_ten_minutes_after_the_deletion() -> None:
    stream = Stream().customers(6).delete(Source.CUSTOMERS, ["c0"])
    memory = refused(stream.changes)[0].memory[mass_deletion.DELETIONS]

    assert mass_deletion.recent(memory, BEGIN + timedelta(minutes=9)) == {"customers": 1}
    assert mass_deletion.recent(memory, BEGIN + timedelta(minutes=10)) == {}


@given(st.data())
def test_any_split_and_any_repetition_refuse_the_same_deletion(data: st.DataObject) -> None:
    """The limits are so low that random histories exceed them; a kill delivers changes again that were applied."""
    history = data.draw(histories())
    limit = DeletionLimit(data.draw(st.integers(0, 2)), data.draw(st.sampled_from((0.0, 0.3, 0.9))))
    settings = Settings(deletion_limit=limit)
    whole, expected = refused(history, settings=settings)

    split, found = refused(history, data.draw(cuts()), settings)
    killed = _with_repetitions(data, history, settings)

    assert found == killed == expected
    assert (split.totals, split.memory, split.customers) == (whole.totals, whole.memory, whole.customers)
    assert {event.key for event in split.events} == {event.key for event in whole.events}


def _with_repetitions(data: st.DataObject, history: Sequence[Change], settings: Settings) -> Change | None:
    """Apply the history again from a random earlier position after each batch; return the refused change."""
    shop, done = Shop(settings), 0
    while done < len(history):
        first = data.draw(st.integers(0, done))
        last = data.draw(st.integers(done + 1, len(history)))
        try:
            shop.follow(history[first:last])
        except MassDeletion as found:
            return found.change
        done = last
    return None
