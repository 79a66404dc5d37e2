"""Rows of the days before the daemon, as the dashboard's old cron job would have written them.

The rows are computed from the documents alone, with two assumptions: a license that is canceled, suspended or inactive
became so at its `updated_at`; an expired one at its `expires_at`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

from bson import ObjectId

from daemon.demo.simulator import documents
from daemon.demo.simulator.documents import Numbers
from daemon.demo.simulator.recount import aware, is_active
from daemon.demo.simulator.triggers import LEVELS
from daemon.mongo.types import Database, Document

DAY = timedelta(days=1)
CRON_HOUR = timedelta(hours=6)
MIN_GROWTH_EUROS = 20.0
SUNDAY = 6
ENDED = ("cancelled", "suspended", "inactive")
MAX_SINGLE_LINES = 3
EXTRA_LINES = (
    "🚀 Rilasciata integrazione Claude 3.5 Sonnet",
    '📢 Campagna email "Founders Deal" inviata',
    "🤝 Accordo partnership con WP Engine",
    "🏆 Superati 100 API calls giornaliere!",
    "🤝 Discussione partnership con azienda AI",
    "🔧 Manutenzione programmata del server",
)


class Sales(NamedTuple):
    """All customers and licenses; plans are id to (name, price in euros, is lifetime)."""

    customers: Sequence[Document]
    licenses: Sequence[Document]
    plans: Mapping[ObjectId, tuple[str, float, bool]]


def read_sales(db: Database) -> Sales:
    plans = {p["_id"]: (p["name"], p["price"], p["is_lifetime"]) for p in db.plans.find()}
    licenses = [license for license in db.licenses.find().sort("_id", 1) if _is_sound(license, plans)]
    return Sales(list(db.customers.find().sort("_id", 1)), licenses, plans)


def _is_sound(license: Document, plans: Mapping[ObjectId, Any]) -> bool:
    """Whether a license can be counted: its plan exists and its end is a date or None."""
    plan, end = license.get("plan_id"), license.get("expires_at")
    return isinstance(plan, ObjectId) and plan in plans and isinstance(end, datetime | None)


def rows(db: Database, first_day: datetime, last_day: datetime) -> list[Document]:
    """Return the rows from `first_day` to `last_day` (midnights UTC, both included) of the old cron job.

    Each row has the numbers at the midnight that ends its day, and the day's note. Exact only for licenses that were
    not updated after they ended: every API call changes `updated_at`.
    """
    sales = read_sales(db)
    found: list[Document] = []
    for day in _days(first_day, last_day):
        numbers = count(sales, day, day + DAY)
        note = " • ".join(_lines(sales, day, numbers, found))
        found.append(documents.row(day, numbers, note, _entries(sales, day), day + DAY + CRON_HOUR))
    return found


def sums(db: Database, now: datetime) -> Numbers:
    """Return the dashboard's numbers at `now` for the current UTC day, from current status and term."""
    sales = read_sales(db)
    day = datetime.combine(now.astimezone(UTC).date(), time.min, UTC)
    active = [license for license in sales.licenses if is_active(license, now)]
    return _numbers(sales, active, sales.customers, day, day + DAY)


def count(sales: Sales, day: datetime, end: datetime) -> Numbers:
    """Return the numbers at the midnight `end` of a day, from the dates in the documents."""
    active = [license for license in sales.licenses if was_active(license, end)]
    existing = [customer for customer in sales.customers if aware(customer["created_at"]) < end]
    return _numbers(sales, active, existing, day, end)


def was_active(license: Document, at: datetime) -> bool:
    """Whether a license was sold before `at` and was still active at that time."""
    ended = ended_at(license)
    return aware(license["created_at"]) < at and (ended is None or ended > at)


def ended_at(license: Document) -> datetime | None:
    """Return when a license stopped being active according to its document, or None if it has no end."""
    ends = [aware(license["expires_at"])] if license["expires_at"] is not None else []
    if license["status"] in ENDED:
        ends.append(aware(license["updated_at"]))
    return min(ends, default=None)


def _numbers(
    sales: Sales, active: Sequence[Document], customers: Sequence[Document], day: datetime, end: datetime
) -> Numbers:
    per_plan: dict[str, list[Any]] = defaultdict(lambda: [0, 0])
    mrr_cents = 0
    for license in active:
        name, price, is_lifetime = sales.plans[license["plan_id"]]
        mrr_cents += 0 if is_lifetime else round(price * 100)
        per_plan[name][0] += round(price * 100)
        per_plan[name][1] += 1
    return Numbers(
        total_customers=len(customers),
        paying_customers=len(active),
        mrr=mrr_cents / 100,
        new_customers=sum(1 for _ in _within(customers, day, end)),
        churned_customers=sum(1 for found in sales.licenses if _ended_within(found, day, end)),
        revenue_by_plan={k: {"revenue": v[0] / 100, "count": v[1]} for k, v in sorted(per_plan.items())},
    )


def _within(found: Iterable[Document], day: datetime, end: datetime) -> Iterator[Document]:
    return (document for document in found if day <= aware(document["created_at"]) < end)


def _ended_within(license: Document, day: datetime, end: datetime) -> bool:
    ended = ended_at(license)
    return license["status"] != "active" and ended is not None and day <= ended < end


# -- notes ------------------------------------------------------------------------------------------------------


def _lines(sales: Sales, day: datetime, numbers: Numbers, earlier: Sequence[Document]) -> Iterator[str]:
    names = {customer["_id"]: str(customer.get("name", ""))[:60] for customer in sales.customers}
    new = [names[customer["_id"]] for customer in _within(sales.customers, day, day + DAY)]
    yield from _grouped([f"🎉 Nuovo cliente: {name}" for name in new], f"🎉 {len(new)} nuovi clienti")
    sold = list(_within(sales.licenses, day, day + DAY))
    yield from _grouped(
        [
            f"🎫 Nuova licenza {sales.plans[s['plan_id']][0].title()}: {names.get(s['customer_id'], 'cliente')}"
            for s in sold
        ],
        f"🎫 {len(sold)} nuove licenze",
    )
    paid = [sales.plans[license["plan_id"]][1] for license in sold]
    yield from _grouped(
        [f"💰 Pagamento ricevuto: €{price:.2f}" for price in paid], f"💰 {len(paid)} pagamenti ricevuti"
    )
    yield from _milestones(numbers, earlier)
    if day.toordinal() % 4 == 0:
        yield EXTRA_LINES[day.toordinal() // 4 % len(EXTRA_LINES)]


def _grouped(lines: Sequence[str], many: str) -> Iterator[str]:
    yield from lines if len(lines) <= MAX_SINGLE_LINES else [many]


def _milestones(numbers: Numbers, earlier: Sequence[Document]) -> Iterator[str]:
    before = earlier[-1]["total_customers"] if earlier else numbers.total_customers
    for level in LEVELS["customers"]:
        if before < level <= numbers.total_customers:
            yield f"🎉 Raggiunti {level} clienti totali!"
    week = numbers.mrr - earlier[-7]["mrr"] if len(earlier) >= 7 else 0.0
    if week >= MIN_GROWTH_EUROS and earlier[-1]["date"].weekday() == SUNDAY:
        yield f"📈 MRR aumentato di €{week:.2f} in 7 giorni!"


def _entries(sales: Sales, day: datetime) -> list[Document]:
    """Return `auto_events` of a past day: its new customers and licenses."""
    customers = [
        ("new_customer", f"Nuovo cliente: {str(found.get('name', ''))[:60]}", found, found["_id"], None)
        for found in _within(sales.customers, day, day + DAY)
    ]
    licenses = [
        ("license_created", f"Nuova licenza {plan[0].title()}", found, found["customer_id"], plan[1])
        for found in _within(sales.licenses, day, day + DAY)
        for plan in [sales.plans[found["plan_id"]]]
    ]
    return [
        {
            "type": kind,
            "description": text,
            "time": f"{aware(found['created_at']):%H:%M}",
            "customer_id": str(owner),
            "amount": amount,
        }
        for kind, text, found, owner, amount in [*customers, *licenses]
    ]


def _days(first: datetime, last: datetime) -> Iterator[datetime]:
    day = first
    while day <= last:
        yield day
        day += DAY
