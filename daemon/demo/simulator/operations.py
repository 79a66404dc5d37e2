"""What goes on around the sales: API calls, payments, prices, and the analytics table by hand and by cron."""

from datetime import UTC, datetime, time, timedelta

from pymongo import UpdateOne

from daemon.demo.simulator import documents
from daemon.demo.simulator.old_rows import sums
from daemon.demo.simulator.shop import Done, Shop
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
    ("support_ticket", "Richiesta assistenza WordPress"),
)
CRON_KEEPS = timedelta(days=90)


class Office(Shop):
    """The operations that sell nothing."""

    def touch(self, count: int, now: datetime) -> Done:
        """So many API calls as licences feel them: `last_check` and other noise, one small update each."""
        local = self.api_time(now)
        seen = {"last_check": local, "last_verified": now, "updated_at": now}
        noise = {"$set": seen, "$inc": {"usage_count": 1}}
        writes = [UpdateOne({"_id": key}, noise) for key in self.chance.choices(self.licenses, k=count)]
        self.db.licenses.bulk_write(writes, ordered=False)
        return Done("touch", written=count)

    def log_usage(self, count: int, now: datetime) -> Done:
        """So many API calls as `usage_logs` sees them: one document each."""
        local = self.api_time(now)
        calls = [
            documents.usage(self.new_id(now), key, self.chance.randrange(50, 4000), local)
            for key in self.chance.choices(self.licenses, k=count)
        ]
        self.db.usage_logs.insert_many(calls, ordered=False)
        return Done("log_usage", written=count)

    def api_calls(self, now: datetime) -> Done:
        self.touch(CALLS, now)
        self.log_usage(CALLS, now)
        return Done("api_calls", written=2 * CALLS)

    def move_domain(self, now: datetime) -> Done:
        """A licence is used on another site: noise, in either style of update."""
        key = self.cards.pick(self.chance)
        return Done("move_domain", None, key, written=self.update(key, {"domain": f"{self.hex(6)}.example"}, now))

    # -- payments -------------------------------------------------------------------------------------------

    def pay(self, now: datetime, status: str | None = None) -> Done:
        """A payment for some active licence: completed, or now and then pending or failed."""
        key = self.cards.pick(self.chance, lambda card: card.is_active(now))
        status = status or self.chance.choices(("completed", "pending", "failed"), (85, 5, 10))[0]
        card = self.cards[key]
        license: Document = {"_id": key, "customer_id": card.customer_id}
        price = self.plans[card.plan]["price"]
        self.db.payments.insert_one(documents.payment(self.new_id(now), license, price, status, now))
        return Done("pay", card.customer_id, key, card.plan)

    def collect(self, license: Document, plan: str, now: datetime) -> None:
        """What the payment provider's webhook leaves of a sale or renewal, once or twice; nothing for a free plan."""
        price = self.plans[plan]["price"]
        if price <= 0:
            return
        status = self.chance.choices(("completed", "pending", "failed"), (85, 10, 5))[0]
        first = documents.payment(self.new_id(now), license, price, status, now)
        self.db.payments.insert_one(first)
        if self.chance.random() < 0.1:
            self.db.payments.insert_one(first | {"_id": self.new_id(now)})

    def refund(self, now: datetime) -> Done:
        """The newest completed payment is given back."""
        found = self.db.payments.find_one({"status": "completed"}, sort=[("_id", -1)])
        if found is None:
            return Done("refund", written=0)
        self.db.payments.update_one({"_id": found["_id"]}, {"$set": {"status": "refunded", "updated_at": now}})
        return Done("refund", found["customer_id"], found["license_id"])

    def settle_payment(self, now: datetime, status: str = "completed") -> Done:
        """The oldest pending payment takes another status: completed, failed or refunded."""
        found = self.db.payments.find_one({"status": "pending"}, sort=[("_id", 1)])
        if found is None:
            return Done("settle_payment", written=0)
        self.db.payments.update_one({"_id": found["_id"]}, {"$set": {"status": status, "updated_at": now}})
        return Done("settle_payment", found["customer_id"], found["license_id"])

    # -- plans ----------------------------------------------------------------------------------------------

    def reprice(self, plan: str, price: float) -> Done:
        """An admin changes a plan's price by hand in the database, and nothing else of it."""
        self.plans[plan]["price"] = price
        written = self.db.plans.update_one({"_id": self.plans[plan]["_id"]}, {"$set": {"price": price}})
        return Done("reprice", plan=plan, written=written.matched_count)

    def reprice_some(self, _now: datetime) -> Done:
        plan = self.chance.choice(("starter", "pro", "agency"))
        return self.reprice(plan, round(self.chance.randrange(1, 30) + 0.99, 2))

    def edit_limits(self, now: datetime) -> Done:
        """An admin edits a plan's request limits from the dashboard: noise."""
        plan = self.chance.choice(list(self.plans))
        limits = {"daily_request_limit": self.chance.randrange(100, 20_000), "updated_at": now}
        self.db.plans.update_one({"_id": self.plans[plan]["_id"]}, {"$set": limits})
        return Done("edit_limits", plan=plan)

    # -- the analytics table --------------------------------------------------------------------------------

    def save_today(self, now: datetime, notes: str | None = None) -> Done:
        """The button "save today": the row of the UTC day replaced by the dashboard's own numbers and fields."""
        day = _utc_day(now)
        happened = {"event_date": {"$gte": day, "$lt": day + timedelta(days=1)}}
        told = list(self.db.business_events.find(happened).sort([("event_date", 1), ("_id", 1)]))
        text = " • ".join(event["description"] for event in told) if notes is None else notes
        row = documents.row(day, sums(self.db, now), text, [_entry(event) for event in told], now)
        self.db.historical_analytics.replace_one({"date": day, "period_type": "daily"}, row, upsert=True)
        self.db.business_events.update_many(happened, {"$set": {"processed": True}})
        return Done("save_today", written=1 + len(told))

    def edit_note(self, now: datetime, day: datetime | None = None, text: str | None = None) -> Done:
        """The admin writes a row's note by hand; today's unless `day` (midnight UTC) names another."""
        found = {"date": day or _utc_day(now), "period_type": "daily"}
        note = self.chance.choice(NOTES) if text is None else text
        written = self.db.historical_analytics.update_one(found, {"$set": {"notes": note, "updated_at": now}})
        return Done("edit_note", written=written.matched_count)

    def run_old_cron(self, now: datetime) -> Done:
        """The old 06:00 job, if somebody left it in the crontab: a demo event, a row, and old events deleted."""
        kind, text = self.chance.choice(DEMO_EVENTS)
        facts = {"metadata": {"realistic_simulation": True}}
        self.db.business_events.insert_one(documents.event(self.new_id(now), kind, text, now, facts))
        self.save_today(now)
        gone = self.db.business_events.delete_many({"event_date": {"$lt": now - CRON_KEEPS}})
        return Done("run_old_cron", written=gone.deleted_count + 2)


def _utc_day(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), time.min, UTC)


def _entry(event: Document) -> Document:
    """One element of a row's `auto_events`."""
    owner = event.get("customer_id")
    return {
        "type": event["event_type"],
        "description": event["description"],
        "time": f"{event['event_date']:%H:%M}",
        "customer_id": None if owner is None else str(owner),
        "amount": event.get("amount"),
    }
