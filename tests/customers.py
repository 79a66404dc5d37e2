"""Customers against a recount of the source: their MRR add up to the total, and each one's steps to that customer's."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daemon.diagnostics.customers import Customers
from daemon.mongo.types import Database
from daemon.store import indexes
from daemon.store.customers.customer_list import CustomerQuery, Order
from rules.settings.settings import Settings
from tests import oracle


@contextmanager
def customers(db: Database, settings: Settings | None = None) -> Iterator[Customers]:
    """Open the customers at a snapshot of the daemon's position."""
    indexes.create_for_pages(db)
    db.client.admin.command("appendOplogNote", 1, data={}, writeConcern={"w": "majority"})  # until all can be read
    with db.client.start_session(snapshot=True) as session:
        yield Customers(db, session, settings or Settings(), oracle.checked_instant(db))


def mrr_by_customer(db: Database) -> Counter[Any]:
    """Return the MRR in cents of each customer, computed from the source collections."""
    instant = oracle.checked_instant(db)
    plans = {plan["_id"]: plan for plan in db.plans.find()}
    found: Counter[Any] = Counter()
    for license in db.licenses.find({"status": "active", "plan_id": {"$in": list(plans)}}):
        plan, ends = plans[license["plan_id"]], license.get("expires_at")
        if not plan.get("is_lifetime") and (ends is None or ends > instant):
            found[license["customer_id"]] += oracle.cents(plan)
    return +found


def assert_customers_add_up(db: Database) -> None:
    """Assert that list, foot and histories agree with the recount of the source and with the ledger."""
    expected = oracle.recount(db, oracle.checked_instant(db))["mrr_cents"]
    with customers(db) as found:
        for order in Order:
            lines = list(found.each(CustomerQuery(order)))
            assert +Counter({line.id: line.mrr_cents for line in lines}) == mrr_by_customer(db)
            assert len({line.id for line in lines}) == len(lines)
            assert sum(line.mrr_cents for line in lines) == expected
        assert found.mrr_cents() == expected
        before = 0
        for one in db.analytics_mirror.find({"_id.k": "customers"}):
            before += _checked_history(found, one["_id"]["id"])
    opening = db.analytics_ledger.find({"kind": "opening"})
    assert before == sum(line["mrr_cents"] for line in opening)


def _checked_history(found: Customers, customer_id: Any) -> int:
    """Assert that the steps of a customer add up; return the MRR before them."""
    account = found.account(customer_id)
    assert account is not None
    steps, before, older = account.history
    assert older is None
    assert before + sum(step.mrr_cents for step in steps) == account.line.mrr_cents
    assert [step.at for step in steps] == sorted((step.at for step in steps), reverse=True)
    assert account.line.mrr_cents == sum(license.mrr_cents for license in account.licenses)
    return before
