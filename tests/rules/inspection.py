"""Views of a shop and its ledger that use no code under test, and the changes of a reconciliation."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rules.model.changes import Change, Operation, Origin, Source
from rules.model.events import Event, EventType
from rules.model.ledger import Movement, MovementKind, Totals
from tests.rules.recount import Oracle
from tests.rules.shop import Shop


def countable_totals(totals: Totals) -> dict[str, Any]:
    """Return the totals that can be recounted from the documents: all but one-time revenue, which is history."""
    known = all_totals(totals)
    known.pop("one_time_cents")
    by_plan = {plan: values[:3] for plan, values in known.pop("by_plan").items()}
    return {**known, "by_plan": {plan: values for plan, values in by_plan.items() if any(values)}}


def all_totals(totals: Totals) -> dict[str, Any]:
    values = asdict(totals)
    plans = {plan: (p.licenses, p.active, p.mrr_cents, p.one_time_cents) for plan, p in totals.by_plan.items()}
    return {**values, "by_plan": {plan: line for plan, line in plans.items() if any(line)}}


def sums(movements: Iterable[Movement]) -> dict[str, Any]:
    """Add up the ledger without any code under test."""
    fields = ("customers", "paying_customers", "subscribers", "active_licenses", "mrr_cents", "one_time_cents")
    result: dict[str, Any] = dict.fromkeys(fields, 0)
    plans: dict[Any, list[int]] = {}
    for movement in movements:
        for name in fields:
            result[name] += getattr(movement, name)
        for plan, line in plan_lines(movement):
            plans[plan] = [a + b for a, b in zip(plans.get(plan, [0, 0, 0, 0]), line, strict=True)]
    return {**result, "by_plan": {plan: tuple(line) for plan, line in plans.items() if any(line)}}


def plan_lines(m: Movement) -> Iterable[tuple[Any, tuple[int, int, int, int]]]:
    yield m.plan_id, (0, 0, 0, m.one_time_cents)
    if m.kind is MovementKind.OPENING:
        yield m.plan_id, (m.licenses, m.active_licenses, m.mrr_cents, 0)
    if m.before is not None:
        yield m.before.plan_id, (-1, -m.before.active, -m.before.mrr_cents, 0)
    if m.after is not None:
        yield m.after.plan_id, (1, m.after.active, m.after.mrr_cents, 0)


def customers(shop: Shop) -> dict[Any, tuple[int, int, int]]:
    sums = {i: (c.mrr_cents, c.active_licenses, c.paid_licenses) for i, c in shop.customers.items()}
    return {customer_id: line for customer_id, line in sums.items() if any(line)}


def state_text(shop: Shop) -> str:
    """Return the complete state of a shop as text, in which NaN equals NaN."""
    states = [
        sorted(d.items(), key=repr)
        for d in (shop.customers, shop.licenses, shop.plans, shop.payments, shop.dead_letters)
    ]
    lines = (shop.events, shop.movements, all_totals(shop.totals), shop.position, shop.memory, states)
    return "\n".join(map(repr, lines))


def ids(held: set[tuple[Source, Any]], source: Source) -> set[Any]:
    return {doc_id for where, doc_id in held if where is source}


def is_natural_expiry(event: Event) -> bool:
    """Return whether a license expired by itself: its event is not a recovered one."""
    return event.type is EventType.LICENSE_EXPIRED and not event.key.endswith(":reconciliation:1")


def same_id(event: Event, license_id: Any) -> bool:
    return type(event.license_id) is type(license_id)


def reconciliation_inserts(oracle: Oracle, history: Sequence[Change], origin: Origin) -> list[Change]:
    """Return the inserts of a reconciliation at the end of a history with an empty mirror."""
    if not history:
        return []
    return [
        Change(source, Operation.INSERT, doc_id, history[-1].at, "reconciliation:1", fields, origin=origin)
        for source in (Source.PLANS, Source.CUSTOMERS, Source.LICENSES)
        for doc_id, fields in oracle.documents[source].items()
    ]


def reconciliation_changes(shop: Shop, oracle: Oracle, history: Sequence[Change], origin: Origin) -> list[Change]:
    """Return the changes of a reconciliation for the differences between mirror and documents."""
    known: dict[Source, dict[Any, Any]] = {
        Source.PLANS: {i: p.fields for i, p in shop.plans.items() if p.present},
        Source.CUSTOMERS: {i: c.fields for i, c in shop.customers.items() if c.present},
        Source.LICENSES: {i: s.fields for i, s in shop.licenses.items()},
    }
    inserts = reconciliation_inserts(oracle, history, origin)
    changes = [
        change._replace(op=Operation.REPLACE) if change.id in known[change.source] else change
        for change in inserts
        if repr(known[change.source].get(change.id)) != repr(change.fields)
    ]
    deletes = [
        Change(source, Operation.DELETE, doc_id, history[-1].at, "reconciliation:1", origin=origin)
        for source in (Source.LICENSES, Source.CUSTOMERS, Source.PLANS)
        for doc_id in known[source]
        if doc_id not in oracle.documents[source]
    ]
    return changes + (deletes if history else [])
