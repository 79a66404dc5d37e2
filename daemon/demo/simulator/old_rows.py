"""The days before the daemon: customers and licences of past weeks, and the rows the old cron left of them.

The rows are computed from the documents alone. What a document does not tell is read so: a licence that is
cancelled, suspended or inactive became so at its `updated_at`; an expired one at its `expires_at`.
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
GROWTH_TOLD = 20.0
SUNDAY = 6
ENDED = ("cancelled", "suspended", "inactive")
TOLD_ONE_BY_ONE = 3
ASIDES = (
    "🚀 Rilasciata integrazione Claude 3.5 Sonnet",
    '📢 Campagna email "Founders Deal" inviata',
    "🤝 Accordo partnership con WP Engine",
    "🏆 Superati 100 API calls giornaliere!",
    "🤝 Discussione partnership con azienda AI",
    "🔧 Manutenzione programmata del server",
)


class Books(NamedTuple):
    """Everything sold, with plans as id to (name, price, for life)."""

    customers: Sequence[Document]
    licenses: Sequence[Document]
    plans: Mapping[ObjectId, tuple[str, float, bool]]


def read_books(db: Database) -> Books:
    plans = {p["_id"]: (p["name"], p["price"], p["is_lifetime"]) for p in db.plans.find()}
    licenses = [license for license in db.licenses.find().sort("_id", 1) if _is_sound(license, plans)]
    return Books(list(db.customers.find().sort("_id", 1)), licenses, plans)


def _is_sound(license: Document, plans: Mapping[ObjectId, Any]) -> bool:
    """Whether a licence can be counted; one that somebody garbled is left out."""
    plan, end = license.get("plan_id"), license.get("expires_at")
    return isinstance(plan, ObjectId) and plan in plans and isinstance(end, datetime | None)


def rows(db: Database, first_day: datetime, last_day: datetime) -> list[Document]:
    """The rows from `first_day` to `last_day` (midnights UTC, both included) as the old cron would have left them.

    Each row holds the numbers of its day's last midnight and the day's note. Exact as long as nobody touched the
    licences since they ended: every API call moves `updated_at`.
    """
    books = read_books(db)
    found: list[Document] = []
    for day in _days(first_day, last_day):
        numbers = count(books, day, day + DAY)
        note = " • ".join(_lines(books, day, numbers, found))
        found.append(documents.row(day, numbers, note, _entries(books, day), day + DAY + CRON_HOUR))
    return found


def sums(db: Database, now: datetime) -> Numbers:
    """The dashboard's own numbers at `now`, of the current UTC day: status and term as they stand."""
    books = read_books(db)
    day = datetime.combine(now.astimezone(UTC).date(), time.min, UTC)
    active = [license for license in books.licenses if is_active(license, now)]
    return _numbers(books, active, books.customers, day, day + DAY)


def count(books: Books, day: datetime, end: datetime) -> Numbers:
    """The numbers at the midnight `end` of a day, told by the documents' own dates."""
    active = [license for license in books.licenses if was_active(license, end)]
    there = [customer for customer in books.customers if aware(customer["created_at"]) < end]
    return _numbers(books, active, there, day, end)


def was_active(license: Document, at: datetime) -> bool:
    """Whether a licence was sold before the instant `at` and still ran at it."""
    ended = ended_at(license)
    return aware(license["created_at"]) < at and (ended is None or ended > at)


def ended_at(license: Document) -> datetime | None:
    """When a licence stopped being active, as far as its document tells; None while no end is known."""
    ends = [aware(license["expires_at"])] if license["expires_at"] is not None else []
    if license["status"] in ENDED:
        ends.append(aware(license["updated_at"]))
    return min(ends, default=None)


def _numbers(
    books: Books, active: Sequence[Document], customers: Sequence[Document], day: datetime, end: datetime
) -> Numbers:
    per_plan: dict[str, list[Any]] = defaultdict(lambda: [0, 0])
    mrr_cents = 0
    for license in active:
        name, price, is_lifetime = books.plans[license["plan_id"]]
        mrr_cents += 0 if is_lifetime else round(price * 100)
        per_plan[name][0] += round(price * 100)
        per_plan[name][1] += 1
    return Numbers(
        total_customers=len(customers),
        paying_customers=len(active),
        mrr=mrr_cents / 100,
        new_customers=sum(1 for _ in _within(customers, day, end)),
        churned_customers=sum(1 for found in books.licenses if _ended_within(found, day, end)),
        revenue_by_plan={k: {"revenue": v[0] / 100, "count": v[1]} for k, v in sorted(per_plan.items())},
    )


def _within(found: Iterable[Document], day: datetime, end: datetime) -> Iterator[Document]:
    return (document for document in found if day <= aware(document["created_at"]) < end)


def _ended_within(license: Document, day: datetime, end: datetime) -> bool:
    ended = ended_at(license)
    return license["status"] != "active" and ended is not None and day <= ended < end


# -- notes ------------------------------------------------------------------------------------------------------


def _lines(books: Books, day: datetime, numbers: Numbers, earlier: Sequence[Document]) -> Iterator[str]:
    names = {customer["_id"]: str(customer.get("name", ""))[:60] for customer in books.customers}
    new = [names[customer["_id"]] for customer in _within(books.customers, day, day + DAY)]
    yield from _told([f"🎉 Nuovo cliente: {name}" for name in new], f"🎉 {len(new)} nuovi clienti")
    sold = list(_within(books.licenses, day, day + DAY))
    yield from _told(
        [
            f"🎫 Nuova licenza {books.plans[s['plan_id']][0].title()}: {names.get(s['customer_id'], 'cliente')}"
            for s in sold
        ],
        f"🎫 {len(sold)} nuove licenze",
    )
    paid = [books.plans[license["plan_id"]][1] for license in sold]
    yield from _told([f"💰 Pagamento ricevuto: €{price:.2f}" for price in paid], f"💰 {len(paid)} pagamenti ricevuti")
    yield from _milestones(numbers, earlier)
    if day.toordinal() % 4 == 0:
        yield ASIDES[day.toordinal() // 4 % len(ASIDES)]


def _told(lines: Sequence[str], many: str) -> Iterator[str]:
    yield from lines if len(lines) <= TOLD_ONE_BY_ONE else [many]


def _milestones(numbers: Numbers, earlier: Sequence[Document]) -> Iterator[str]:
    before = earlier[-1]["total_customers"] if earlier else numbers.total_customers
    for level in LEVELS["customers"]:
        if before < level <= numbers.total_customers:
            yield f"🎉 Raggiunti {level} clienti totali!"
    week = numbers.mrr - earlier[-7]["mrr"] if len(earlier) >= 7 else 0.0
    if week >= GROWTH_TOLD and earlier[-1]["date"].weekday() == SUNDAY:
        yield f"📈 MRR aumentato di €{week:.2f} in 7 giorni!"


def _entries(books: Books, day: datetime) -> list[Document]:
    """`auto_events` of a past day: its new customers and licences."""
    customers = [
        ("new_customer", f"Nuovo cliente: {str(found.get('name', ''))[:60]}", found, found["_id"], None)
        for found in _within(books.customers, day, day + DAY)
    ]
    licenses = [
        ("license_created", f"Nuova licenza {plan[0].title()}", found, found["customer_id"], plan[1])
        for found in _within(books.licenses, day, day + DAY)
        for plan in [books.plans[found["plan_id"]]]
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
