"""Customers and licenses of past weeks, created in bulk; most are active, some canceled, some expired."""

from datetime import datetime, timedelta

from bson import ObjectId

from daemon.demo.simulator import documents, names
from daemon.demo.simulator.documents import TERM
from daemon.demo.simulator.shop import OperationResult, Shop
from daemon.mongo.types import Document

API_AHEAD = timedelta(hours=2)
"""Maximum offset of the API's naive local time (Europe/Rome) from UTC, so that no date is in the future."""

BATCH = 1000
PLAN_WEIGHTS = {"starter": 45, "pro": 35, "agency": 14, "founders": 6}
LICENSES_PER_CUSTOMER = ((0, 1, 2, 3), (10, 72, 13, 5))
OUTCOMES = (("runs", "cancelled", "suspended", "expired", "lapsed"), (74, 10, 3, 6, 7))
"""Current states of a license with weights; `lapsed` is past its term but still has status `active`."""

API_SHARE = 0.3
TRIALS = tuple(timedelta(days=days) for days in (7, 14, 30))


def populate(shop: Shop, customers: int, since: datetime, now: datetime) -> OperationResult:
    """Insert customers and their licenses, created between `since` and `now`; writes no events."""
    dates = sorted(_moment(shop, since, now - API_AHEAD) for _ in range(customers))
    for first in range(0, customers, BATCH):
        people = [_customer(shop, at) for at in dates[first : first + BATCH]]
        sold = [
            _license(shop, person["_id"], at, now)
            for person, at in zip(people, dates[first : first + BATCH], strict=True)
            for _ in range(shop.rng.choices(*LICENSES_PER_CUSTOMER)[0])
        ]
        shop.db.customers.insert_many(people)
        if sold:
            shop.db.licenses.insert_many([license for license, _ in sold])
        shop.remember(people, sold)
    return OperationResult("populate", written=customers)


def _moment(shop: Shop, first: datetime, last: datetime) -> datetime:
    seconds = max((last - first).total_seconds(), 0.0)
    return first + timedelta(milliseconds=int(shop.rng.random() * seconds * 1000))


def _customer(shop: Shop, at: datetime) -> Document:
    name = names.company(shop.rng)
    customer = documents.customer(shop.new_id(at), name, f"{shop.hex(12)}@example.com", at)
    by_api = shop.rng.random() < API_SHARE
    return documents.api_customer(customer, shop.api_time(at)) if by_api else customer


def _license(shop: Shop, customer_id: ObjectId, since: datetime, now: datetime) -> tuple[Document, str]:
    """Return a license, sold within a day after its customer was created, and the name of its plan."""
    plan = shop.rng.choices(list(PLAN_WEIGHTS), list(PLAN_WEIGHTS.values()))[0]
    at = min(since + timedelta(seconds=shop.rng.randrange(5, 86_400)), now - API_AHEAD)
    license = documents.license(shop.new_id(at), shop.new_key(), customer_id, shop.plans[plan], at)
    outcome = shop.rng.choices(*OUTCOMES)[0]
    if outcome in ("cancelled", "suspended"):
        license |= {"status": outcome, "updated_at": _moment(shop, at, now)}
    if license["expires_at"] is not None:
        _set_term(shop, license, outcome, now)
    return license, plan


def _set_term(shop: Shop, license: Document, outcome: str, now: datetime) -> None:
    """Set a term that ends after `now`, by renewals; for an expired license a trial that ended before."""
    start = license["created_at"]
    trials = [term for term in TRIALS if start + term < now]
    if outcome in ("expired", "lapsed") and trials:
        license["expires_at"] = start + shop.rng.choice(trials)
        license["status"] = "expired" if outcome == "expired" else "active"
        return
    while license["expires_at"] <= now:
        license["expires_at"] += TERM
