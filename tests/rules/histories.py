"""Hypothesis strategies for histories of a small shop: possible changes in stream order, many of them invalid.

A history is drawn as steps and converted by `to_changes`, which tracks the existing documents, so that every update
has its document and every dotted path its container. A shrunk failure is a short list of changes.
"""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from rules.model.changes import Change, Operation, Source

Documents = dict[Source, dict[Any, dict[str, Any]]]

CUSTOMERS: tuple[Any, ...] = ("ada", "bruno", 3)
LICENSES: tuple[Any, ...] = (1, "1", "l3", "l4")
PLANS: tuple[Any, ...] = ("starter", "pro", "founders", "annual")
POOL: Mapping[Source, tuple[Any, ...]] = {
    Source.CUSTOMERS: CUSTOMERS,
    Source.LICENSES: LICENSES,
    Source.PLANS: PLANS,
}

NAN = float("nan")
POISON: tuple[Any, ...] = (["a", "b", "c"], {"k": 1}, True, NAN, "nonsense")
BAD_PRICES: tuple[Any, ...] = (NAN, float("inf"), -1.0, "7.99", None, True, [7.99])
STEPS = tuple(timedelta(milliseconds=ms) for ms in (0, 0, 1, 1000, 60_000, 3_600_000, 86_400_000, 40 * 86_400_000))
STARTS = (
    datetime(2025, 1, 31, 22, 59, 59, tzinfo=UTC),
    datetime(2025, 3, 30, 0, 59, 59, 999000, tzinfo=UTC),
    datetime(2025, 10, 26, 0, 30, tzinfo=UTC),
)


class Until(NamedTuple):
    """An `expires_at` relative to the time of the change that writes it."""

    after: timedelta


class Step(NamedTuple):
    """One action on a document, whether or not the document exists at that moment."""

    source: Source
    id: Any
    action: str
    patch: Mapping[str, Any]
    wait: timedelta


def customer_patches() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(["Ada", "Bruno\n<b>", "", None, {"k": 1}]),
            "company": st.sampled_from(["Acme", 7]),
            "email": st.sampled_from(["manual@chatello.io"]),
        },
    )


def license_patches(poison: bool) -> st.SearchStrategy[dict[str, Any]]:
    spoiled = POISON if poison else ()
    lost: tuple[Any, ...] = ("nowhere",) if poison else ()
    statuses = ("active", "active", "active", "cancelled", "expired", "suspended", "inactive")
    return st.fixed_dictionaries(
        {},
        optional={
            "status": st.sampled_from((*statuses, *spoiled)),
            "customer_id": st.sampled_from((*CUSTOMERS, None, "ghost", *spoiled[:4])),
            "plan_id": st.sampled_from((*PLANS, *PLANS, *lost, *spoiled[:4])),
            "expires_at": st.sampled_from(
                (None, *map(Until, STEPS), Until(-timedelta(days=1)), *spoiled, *((7,) if poison else ()))
            ),
            "metadata": st.sampled_from(({"source": "manual_insert"}, None)),
        },
    )


def plan_patches(poison: bool) -> st.SearchStrategy[dict[str, Any]]:
    spoiled = BAD_PRICES if poison else ()
    return st.fixed_dictionaries(
        {},
        optional={
            "price": st.sampled_from((2.99, 7.99, 19.99, 0.0, 0.125, 29, *spoiled)),
            "is_lifetime": st.booleans(),
            "billing_period": st.sampled_from((None, "month", "year", "week", 3, *spoiled[3:4])),
            "lifetime_limit": st.sampled_from((500, 1, None)),
            "display_name": st.sampled_from(("Pro", "Deal", None)),
        },
    )


def steps(poison: bool) -> st.SearchStrategy[Step]:
    actions = ("put", "put", "put", "set", "set", "set", "replace", "delete", "drop", "inner")
    wait = st.sampled_from(STEPS)
    licenses = st.builds(
        Step,
        st.just(Source.LICENSES),
        st.sampled_from(LICENSES),
        st.sampled_from(actions),
        license_patches(poison),
        wait,
    )
    customers = st.builds(
        Step,
        st.just(Source.CUSTOMERS),
        st.sampled_from(CUSTOMERS),
        st.sampled_from(actions),
        customer_patches(),
        wait,
    )
    plans = st.builds(
        Step,
        st.just(Source.PLANS),
        st.sampled_from(PLANS),
        st.sampled_from(actions if poison else ("put", "set", "replace")),
        plan_patches(poison),
        wait,
    )
    return st.one_of(licenses, licenses, licenses, customers, plans)


@st.composite
def histories(draw: st.DrawFn, *, poison: bool = True, max_size: int = 30) -> list[Change]:
    """Draw a history in stream order. Without `poison` every document is valid at every moment."""
    opening = [
        Step(Source.PLANS, plan_id, "put", {}, timedelta(0))
        for plan_id in (draw(st.sets(st.sampled_from(PLANS))) if poison else PLANS)
    ]
    drawn = draw(st.lists(steps(poison), max_size=max_size))
    opening.sort(key=lambda step: str(step.id))
    return to_changes([*opening, *drawn], draw(st.sampled_from(STARTS)))


SHORT_WAITS = tuple(timedelta(minutes=minutes) for minutes in (0, 1, 29, 60, 61, 24 * 60))


def busy_customers() -> st.SearchStrategy[list[Change]]:
    """Draw histories of two customers who start, end, move and delete licenses within and beyond an hour.

    The steps are drawn by a seed: hypothesis' own draws are too similar to produce many license replacements.
    """
    return st.builds(_busy_customers, st.integers(0, 40), st.integers(0, 10**9), st.sampled_from(STARTS))


def _busy_customers(length: int, seed: int, start: datetime) -> list[Change]:
    chance = Random(seed)
    plans = [Step(Source.PLANS, plan_id, "put", {}, timedelta(0)) for plan_id in PLANS]
    return to_changes([*plans, *(_busy_step(chance) for _ in range(length))], start)


def _busy_step(chance: Random) -> Step:
    if chance.random() < 0.1:
        price = {"price": chance.choice((0.0, 2.99, 7.99, 19.99))}
        return Step(Source.PLANS, chance.choice(PLANS), "set", price, chance.choice(SHORT_WAITS))
    patch: dict[str, Any] = {"status": chance.choice(("active", "active", "cancelled", "suspended"))}
    if chance.random() < 0.5:
        patch["plan_id"] = chance.choice(PLANS)
    if chance.random() < 0.2:
        patch["customer_id"] = chance.choice(("ada", "bruno"))
    if chance.random() < 0.2:
        patch["expires_at"] = chance.choice((None, Until(timedelta(minutes=30)), Until(timedelta(days=2))))
    action = chance.choices(("set", "replace", "delete"), (8, 1, 2))[0]
    return Step(Source.LICENSES, chance.choice(LICENSES[:3]), action, patch, chance.choice(SHORT_WAITS))


def cuts(max_size: int = 60) -> st.SearchStrategy[set[int]]:
    """Draw the positions at which a history is split into batches."""
    return st.sets(st.integers(1, max_size))


def to_changes(story: list[Step], start: datetime) -> list[Change]:
    """Return the changes of the stream for steps on an empty shop; impossible steps are omitted."""
    documents: Documents = {source: {} for source in POOL}
    changes: list[Change] = []
    at = start
    for step in story:
        at += step.wait
        change = _to_change(step, documents[step.source], at, f"82{len(changes):06d}")
        if change is not None:
            changes.append(change)
            write(documents, change)
    return changes


def _to_change(step: Step, documents: Mapping[Any, Mapping[str, Any]], at: datetime, cause: str) -> Change | None:
    old = documents.get(step.id)
    patch = {name: at + v.after if isinstance(v, Until) else deepcopy(v) for name, v in step.patch.items()}
    whole = {**_default(step.source, step.id), **patch}
    if old is None:
        inserted = step.action in ("put", "set", "replace")
        return Change(step.source, Operation.INSERT, step.id, at, cause, whole) if inserted else None
    if step.action == "delete":
        return Change(step.source, Operation.DELETE, step.id, at, cause)
    if step.action == "replace":
        return Change(step.source, Operation.REPLACE, step.id, at, cause, whole)
    if step.action == "drop":
        gone = tuple(name for name in patch if name in old and name in ("name", "customer_id", "metadata"))
        return Change(step.source, Operation.UPDATE, step.id, at, cause, {}, gone) if gone else None
    if step.action == "inner":
        return _inner(step, old, at, cause)
    return Change(step.source, Operation.UPDATE, step.id, at, cause, patch) if patch else None


def _inner(step: Step, old: Mapping[str, Any], at: datetime, cause: str) -> Change | None:
    """Return an update inside every container of the document; None if it has none."""
    inside = {f"{name}.k": 2 for name, value in old.items() if isinstance(value, dict)}
    inside |= {f"{name}.0": 2 for name, value in old.items() if isinstance(value, list)}
    shorter = tuple((name, 1) for name, value in old.items() if isinstance(value, list))
    if not inside:
        return None
    return Change(step.source, Operation.UPDATE, step.id, at, cause, inside, (), shorter)


def _default(source: Source, doc_id: Any) -> dict[str, Any]:
    if source is Source.CUSTOMERS:
        return {"name": f"Cliente {doc_id}"}
    if source is Source.PLANS:
        return {
            "name": doc_id,
            "price": {"starter": 2.99, "pro": 7.99, "founders": 29.0, "annual": 100.0}[doc_id],
            "billing_period": "year" if doc_id == "annual" else None,
            "is_lifetime": doc_id == "founders",
        }
    return {"customer_id": "ada", "plan_id": "pro", "status": "active", "expires_at": None, "license_key": "CHA"}


def write(documents: Documents, change: Change) -> None:
    """Apply a change to plain documents as the server does, independently of `rules.model.documents`."""
    collection = documents[change.source]
    if change.op is Operation.DELETE:
        collection.pop(change.id, None)
    elif change.op in (Operation.INSERT, Operation.REPLACE):
        collection[change.id] = deepcopy(dict(change.fields))
    else:
        _update(collection[change.id], change)


def _update(document: dict[str, Any], change: Change) -> None:
    for name, size in change.truncated:
        del document[name][size:]
    for name in change.removed:
        del document[name]
    for path, value in change.fields.items():
        head, _, key = path.partition(".")
        if not key:
            document[head] = deepcopy(value)
        elif isinstance(document[head], list):
            document[head][int(key)] = value
        else:
            document[head][key] = value
