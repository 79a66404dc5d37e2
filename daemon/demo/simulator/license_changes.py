"""Changes of sold licenses: plan, status, term, deletion."""

from datetime import datetime, timedelta

from bson import ObjectId

from daemon.demo.simulator.documents import TERM
from daemon.demo.simulator.operations import Operations
from daemon.demo.simulator.shop import OperationResult

ENDS_IN = timedelta(seconds=2)


class LicenseChanges(Operations):
    """Operations that change licenses."""

    def change_plan(self, now: datetime, plan: str | None = None) -> OperationResult:
        """Move an active monthly license to `plan`, or to another random monthly plan."""
        key = self.cards.pick(self.rng, lambda card: card.is_active(now) and card.plan != "founders")
        card = self.cards[key]
        other_plans = [name for name in ("starter", "pro", "agency") if name != card.plan]
        name = plan or self.rng.choice(other_plans)
        written = self.update(key, {"plan_id": self.plans[name]["_id"]}, now)
        card.plan = name
        return OperationResult("change_plan", card.customer_id, key, name, written)

    def cancel(self, now: datetime) -> OperationResult:
        return self.set_status("cancel", self._pick_active(now), "cancelled", now)

    def suspend(self, now: datetime) -> OperationResult:
        status = self.rng.choice(("suspended", "suspended", "inactive"))
        return self.set_status("suspend", self._pick_active(now), status, now)

    def reactivate(self, now: datetime) -> OperationResult:
        """Set a license with another status active again, with an unchanged term."""
        key = self.cards.pick(self.rng, lambda card: card.status != "active")
        return self.set_status("reactivate", key, "active", now)

    def renew(self, now: datetime) -> OperationResult:
        """Extend a term by 30 days from its end or from now, and set the license active."""
        key = self.cards.pick(self.rng, lambda card: card.status == "active" and card.expires_at is not None)
        card = self.cards[key]
        if card.expires_at is None:
            return OperationResult("renew", card.customer_id, key, card.plan, 0)
        card.expires_at = max(card.expires_at, now) + TERM
        card.status = "active"
        written = self.update(key, {"expires_at": card.expires_at, "status": "active"}, now)
        if self.pays:
            self.insert_payment({"_id": key, "customer_id": card.customer_id}, card.plan, now)
        return OperationResult("renew", card.customer_id, key, card.plan, written)

    def let_expire(self, now: datetime, within: timedelta = ENDS_IN) -> OperationResult:
        """Set the end of an active license to soon; its status will stay `active` afterwards."""
        key = self._pick_active(now)
        card = self.cards[key]
        card.expires_at = now + within
        written = self.update(key, {"expires_at": card.expires_at}, now)
        return OperationResult("let_expire", card.customer_id, key, card.plan, written)

    def expire(self, now: datetime) -> OperationResult:
        """Validate a license: one past its term gets status `expired`, any other only `last_check`."""
        key = self.cards.pick(self.rng, lambda card: card.is_lapsed(now))
        if not self.cards[key].is_lapsed(now):
            self.db.licenses.update_one({"_id": key}, {"$set": {"last_check": self.api_time(now)}})
            return OperationResult("expire", self.cards[key].customer_id, key, self.cards[key].plan, 0)
        return self.set_status("expire", key, "expired", now, last_check=self.api_time(now))

    def replace_license(self, now: datetime) -> OperationResult:
        """Update a license as the API does: read the document, set it active, replace it."""
        key = self.cards.pick(self.rng)
        card = self.cards[key]
        card.status = "active"
        written = self.replace(key, {"status": "active"}, now)
        return OperationResult("replace_license", card.customer_id, key, card.plan, written)

    def delete_license(self, now: datetime) -> OperationResult:
        key = self.cards.pick(self.rng)
        card = self.cards[key]
        return OperationResult("delete_license", card.customer_id, key, card.plan, self.remove_license(key))

    def _pick_active(self, now: datetime) -> ObjectId:
        return self.cards.pick(self.rng, lambda card: card.is_active(now))

    def set_status(
        self, operation: str, key: ObjectId, status: str, now: datetime, **noise: datetime
    ) -> OperationResult:
        card = self.cards[key]
        card.status = status
        written = self.update(key, {"status": status, **noise}, now)
        return OperationResult(operation, card.customer_id, key, card.plan, written)

    def remove_license(self, key: ObjectId) -> int:
        self.cards.remove(key)
        return self.db.licenses.delete_one({"_id": key}).deleted_count
