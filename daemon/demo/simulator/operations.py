"""Operations other than sales: API calls, payments, plan changes, and writes to the analytics table."""

from datetime import UTC, datetime, time, timedelta

from pymongo import UpdateOne

from daemon.demo.simulator import documents
from daemon.demo.simulator.old_rows import sums
from daemon.demo.simulator.shop import OperationResult, Shop
from daemon.mongo.types import Document

CALLS = 50
NOTES = (
    "Campagna email inviata",
    "Chiamata con WP Engine",
    "<b>Ottimo</b> giorno",
    "Sentito il commercialista\nIVA ok",
)
DEMO_EVENTS = (
    ("feature_released", "Rilasciata integrazione Claude 3.5 Sonnet"),
    ("marketing_campaign", 'Campagna email "Founders Deal" inviata'),
    ("partnership", "Accordo partnership con WP Engine"),
    ("support_ticket", "Richiesta di assistenza su WordPress"),
)
CRON_RETENTION = timedelta(days=90)


class Operations(Shop):
    """Operations that sell nothing."""

    def touch(self, count: int, now: datetime) -> OperationResult:
        """Write `count` API calls to licenses: one small update of `last_check` and other irrelevant fields each."""
        local = self.api_time(now)
        seen = {"last_check": local, "last_verified": now, "updated_at": now}
        noise = {"$set": seen, "$inc": {"usage_count": 1}}
        writes = [UpdateOne({"_id": key}, noise) for key in self.rng.choices(self.licenses, k=count)]
        self.db.licenses.bulk_write(writes, ordered=False)
        return OperationResult("touch", written=count)

    def log_usage(self, count: int, now: datetime) -> OperationResult:
        """Write `count` API calls to `usage_logs`: one document each."""
        local = self.api_time(now)
        calls = [
            documents.usage(self.new_id(now), key, self.rng.randrange(50, 4000), local)
            for key in self.rng.choices(self.licenses, k=count)
        ]
        self.db.usage_logs.insert_many(calls, ordered=False)
        return OperationResult("log_usage", written=count)

    def api_calls(self, now: datetime) -> OperationResult:
        self.touch(CALLS, now)
        self.log_usage(CALLS, now)
        return OperationResult("api_calls", written=2 * CALLS)

    def move_domain(self, now: datetime) -> OperationResult:
        """Change a license's domain: an irrelevant field, in either style of update."""
        key = self.cards.pick(self.rng)
        return OperationResult(
            "move_domain", None, key, written=self.update(key, {"domain": f"{self.hex(6)}.example"}, now)
        )

    # -- payments -------------------------------------------------------------------------------------------

    def pay(self, now: datetime, status: str | None = None) -> OperationResult:
        """Insert a payment for an active license: completed (85 %), pending (5 %) or failed (10 %)."""
        key = self.cards.pick(self.rng, lambda card: card.is_active(now))
        status = status or self.rng.choices(("completed", "pending", "failed"), (85, 5, 10))[0]
        card = self.cards[key]
        license: Document = {"_id": key, "customer_id": card.customer_id}
        price = self.plans[card.plan]["price"]
        self.db.payments.insert_one(documents.payment(self.new_id(now), license, price, status, now))
        return OperationResult("pay", card.customer_id, key, card.plan)

    def insert_payment(self, license: Document, plan: str, now: datetime) -> None:
        """Insert the payment of a sale or renewal as the provider's webhook does, 10 % twice; none for a free plan."""
        price = self.plans[plan]["price"]
        if price <= 0:
            return
        status = self.rng.choices(("completed", "pending", "failed"), (85, 10, 5))[0]
        first = documents.payment(self.new_id(now), license, price, status, now)
        self.db.payments.insert_one(first)
        if self.rng.random() < 0.1:
            self.db.payments.insert_one(first | {"_id": self.new_id(now)})

    def refund(self, now: datetime) -> OperationResult:
        """Refund the newest completed payment."""
        found = self.db.payments.find_one({"status": "completed"}, sort=[("_id", -1)])
        if found is None:
            return OperationResult("refund", written=0)
        self.db.payments.update_one({"_id": found["_id"]}, {"$set": {"status": "refunded", "updated_at": now}})
        return OperationResult("refund", found["customer_id"], found["license_id"])

    def settle_payment(self, now: datetime, status: str = "completed") -> OperationResult:
        """Set the oldest pending payment to another status: completed, failed or refunded."""
        found = self.db.payments.find_one({"status": "pending"}, sort=[("_id", 1)])
        if found is None:
            return OperationResult("settle_payment", written=0)
        self.db.payments.update_one({"_id": found["_id"]}, {"$set": {"status": status, "updated_at": now}})
        return OperationResult("settle_payment", found["customer_id"], found["license_id"])

    # -- plans ----------------------------------------------------------------------------------------------

    def reprice(self, plan: str, price: float) -> OperationResult:
        """Change only the price of a plan, as an administrator does in the database."""
        self.plans[plan]["price"] = price
        written = self.db.plans.update_one({"_id": self.plans[plan]["_id"]}, {"$set": {"price": price}})
        return OperationResult("reprice", plan=plan, written=written.matched_count)

    def reprice_some(self, _now: datetime) -> OperationResult:
        plan = self.rng.choice(("starter", "pro", "agency"))
        return self.reprice(plan, round(self.rng.randrange(1, 30) + 0.99, 2))

    def edit_limits(self, now: datetime) -> OperationResult:
        """Change a plan's request limits, as an administrator does in the dashboard: irrelevant fields."""
        plan = self.rng.choice(list(self.plans))
        limits = {"daily_request_limit": self.rng.randrange(100, 20_000), "updated_at": now}
        self.db.plans.update_one({"_id": self.plans[plan]["_id"]}, {"$set": limits})
        return OperationResult("edit_limits", plan=plan)

    # -- the analytics table --------------------------------------------------------------------------------

    def save_today(self, now: datetime, notes: str | None = None) -> OperationResult:
        """Replace the row of the UTC day with the dashboard's numbers and fields (button "save today")."""
        day = _utc_day(now)
        of_today = {"event_date": {"$gte": day, "$lt": day + timedelta(days=1)}}
        events = list(self.db.business_events.find(of_today).sort([("event_date", 1), ("_id", 1)]))
        text = " • ".join(event["description"] for event in events) if notes is None else notes
        row = documents.row(day, sums(self.db, now), text, [_entry(event) for event in events], now)
        self.db.historical_analytics.replace_one({"date": day, "period_type": "daily"}, row, upsert=True)
        self.db.business_events.update_many(of_today, {"$set": {"processed": True}})
        return OperationResult("save_today", written=1 + len(events))

    def edit_note(self, now: datetime, day: datetime | None = None, text: str | None = None) -> OperationResult:
        """Edit a row's note as an administrator does; today's row unless `day` (midnight UTC) is given."""
        found = {"date": day or _utc_day(now), "period_type": "daily"}
        note = self.rng.choice(NOTES) if text is None else text
        written = self.db.historical_analytics.update_one(found, {"$set": {"notes": note, "updated_at": now}})
        return OperationResult("edit_note", written=written.matched_count)

    def run_old_cron(self, now: datetime) -> OperationResult:
        """Run the old 06:00 cron job: insert a demo event, write a row, delete old events."""
        kind, text = self.rng.choice(DEMO_EVENTS)
        facts = {"metadata": {"realistic_simulation": True}}
        self.db.business_events.insert_one(documents.event(self.new_id(now), kind, text, now, facts))
        self.save_today(now)
        deleted = self.db.business_events.delete_many({"event_date": {"$lt": now - CRON_RETENTION}})
        return OperationResult("run_old_cron", written=deleted.deleted_count + 2)


def _utc_day(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), time.min, UTC)


def _entry(event: Document) -> Document:
    """Return one element of a row's `auto_events`."""
    owner = event.get("customer_id")
    return {
        "type": event["event_type"],
        "description": event["description"],
        "time": f"{event['event_date']:%H:%M}",
        "customer_id": None if owner is None else str(owner),
        "amount": event.get("amount"),
    }
