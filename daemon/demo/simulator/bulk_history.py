"""Customers and licences of past weeks, made in bulk: most still run, some were cancelled, some ran out."""

from datetime import datetime, timedelta

from bson import ObjectId

from daemon.demo.simulator import documents, names
from daemon.demo.simulator.documents import TERM
from daemon.demo.simulator.shop import Done, Shop
from daemon.mongo.types import Document

API_AHEAD = timedelta(hours=2)
"""How far ahead of UTC the API's naive Roman time reads at most: nothing made here lies in the future."""

BATCH = 1000
PLAN_WEIGHTS = {"starter": 45, "pro": 35, "agency": 14, "founders": 6}
LICENSES_PER_CUSTOMER = ((0, 1, 2, 3), (10, 72, 13, 5))
FATES = (("runs", "cancelled", "suspended", "expired", "lapsed"), (74, 10, 3, 6, 7))
"""What became of a licence; `lapsed` ran out and nobody wrote so."""

API_SHARE = 0.3
TRIALS = tuple(timedelta(days=days) for days in (7, 14, 30))


def populate(shop: Shop, customers: int, since: datetime, now: datetime) -> Done:
    """Insert so many customers and their licences, created between `since` and `now`; no events are written."""
    made = sorted(_moment(shop, since, now - API_AHEAD) for _ in range(customers))
    for first in range(0, customers, BATCH):
        people = [_customer(shop, at) for at in made[first : first + BATCH]]
        sold = [
            _license(shop, person["_id"], at, now)
            for person, at in zip(people, made[first : first + BATCH], strict=True)
            for _ in range(shop.chance.choices(*LICENSES_PER_CUSTOMER)[0])
        ]
        shop.db.customers.insert_many(people)
        if sold:
            shop.db.licenses.insert_many([license for license, _ in sold])
        shop.remember(people, sold)
    return Done("populate", written=customers)


def _moment(shop: Shop, first: datetime, last: datetime) -> datetime:
    seconds = max((last - first).total_seconds(), 0.0)
    return first + timedelta(milliseconds=int(shop.chance.random() * seconds * 1000))


def _customer(shop: Shop, at: datetime) -> Document:
    name = names.company(shop.chance)
    customer = documents.customer(shop.new_id(at), name, f"{shop.hex(12)}@example.com", at)
    by_api = shop.chance.random() < API_SHARE
    return documents.api_customer(customer, shop.api_time(at)) if by_api else customer


def _license(shop: Shop, customer_id: ObjectId, since: datetime, now: datetime) -> tuple[Document, str]:
    """A licence and the name of its plan; sold soon after its customer came, and then its fate."""
    plan = shop.chance.choices(list(PLAN_WEIGHTS), list(PLAN_WEIGHTS.values()))[0]
    at = min(since + timedelta(seconds=shop.chance.randrange(5, 86_400)), now - API_AHEAD)
    license = documents.license(shop.new_id(at), shop.new_key(), customer_id, shop.plans[plan], at)
    fate = shop.chance.choices(*FATES)[0]
    if fate in ("cancelled", "suspended"):
        license |= {"status": fate, "updated_at": _moment(shop, at, now)}
    if license["expires_at"] is not None:
        _set_term(shop, license, fate, now)
    return license, plan


def _set_term(shop: Shop, license: Document, fate: str, now: datetime) -> None:
    """A term that runs beyond `now`, renewed as often as it takes; for what ran out, a trial that fits before it."""
    start = license["created_at"]
    trials = [term for term in TRIALS if start + term < now]
    if fate in ("expired", "lapsed") and trials:
        license["expires_at"] = start + shop.chance.choice(trials)
        license["status"] = "expired" if fate == "expired" else "active"
        return
    while license["expires_at"] <= now:
        license["expires_at"] += TERM
