"""What becomes of a licence once it is sold: another plan, another status, another term, or its end."""

from datetime import datetime, timedelta

from bson import ObjectId

from daemon.demo.simulator.documents import TERM
from daemon.demo.simulator.operations import Office
from daemon.demo.simulator.shop import Done

ENDS_IN = timedelta(seconds=2)


class Tenure(Office):
    """The operations that change a licence."""

    def change_plan(self, now: datetime, plan: str | None = None) -> Done:
        """An active monthly licence moves to another monthly plan, unless `plan` names one."""
        key = self.cards.pick(self.chance, lambda card: card.is_active(now) and card.plan != "founders")
        card = self.cards[key]
        others = [name for name in ("starter", "pro", "agency") if name != card.plan]
        name = plan or self.chance.choice(others)
        written = self.update(key, {"plan_id": self.plans[name]["_id"]}, now)
        card.plan = name
        return Done("change_plan", card.customer_id, key, name, written)

    def cancel(self, now: datetime) -> Done:
        return self.turn("cancel", self._pick_active(now), "cancelled", now)

    def suspend(self, now: datetime) -> Done:
        status = self.chance.choice(("suspended", "suspended", "inactive"))
        return self.turn("suspend", self._pick_active(now), status, now)

    def reactivate(self, now: datetime) -> Done:
        """A licence that is not active by its status becomes so again; its term stays what it was."""
        key = self.cards.pick(self.chance, lambda card: card.status != "active")
        return self.turn("reactivate", key, "active", now)

    def renew(self, now: datetime) -> Done:
        """A term of thirty days more, from its end or from now, and active again if it had run out."""
        key = self.cards.pick(self.chance, lambda card: card.status == "active" and card.expires_at is not None)
        card = self.cards[key]
        if card.expires_at is None:
            return Done("renew", card.customer_id, key, card.plan, 0)
        card.expires_at = max(card.expires_at, now) + TERM
        card.status = "active"
        written = self.update(key, {"expires_at": card.expires_at, "status": "active"}, now)
        if self.pays:
            self.collect({"_id": key, "customer_id": card.customer_id}, card.plan, now)
        return Done("renew", card.customer_id, key, card.plan, written)

    def let_expire(self, now: datetime, within: timedelta = ENDS_IN) -> Done:
        """An active licence is given an end soon, and nobody will write that it came."""
        key = self._pick_active(now)
        card = self.cards[key]
        card.expires_at = now + within
        written = self.update(key, {"expires_at": card.expires_at}, now)
        return Done("let_expire", card.customer_id, key, card.plan, written)

    def expire(self, now: datetime) -> Done:
        """Somebody validates a licence past its term, and only so it is written `expired`; any other is touched."""
        key = self.cards.pick(self.chance, lambda card: card.is_lapsed(now))
        if not self.cards[key].is_lapsed(now):
            self.db.licenses.update_one({"_id": key}, {"$set": {"last_check": self.api_time(now)}})
            return Done("expire", self.cards[key].customer_id, key, self.cards[key].plan, 0)
        return self.turn("expire", key, "expired", now, last_check=self.api_time(now))

    def replace_license(self, now: datetime) -> Done:
        """The API's update of a whole document: read, set active, written back entire."""
        key = self.cards.pick(self.chance)
        card = self.cards[key]
        card.status = "active"
        written = self.replace(key, {"status": "active"}, now)
        return Done("replace_license", card.customer_id, key, card.plan, written)

    def delete_license(self, now: datetime) -> Done:
        key = self.cards.pick(self.chance)
        card = self.cards[key]
        return Done("delete_license", card.customer_id, key, card.plan, self.remove_license(key))

    def _pick_active(self, now: datetime) -> ObjectId:
        return self.cards.pick(self.chance, lambda card: card.is_active(now))

    def turn(self, operation: str, key: ObjectId, status: str, now: datetime, **noise: datetime) -> Done:
        card = self.cards[key]
        card.status = status
        written = self.update(key, {"status": status, **noise}, now)
        return Done(operation, card.customer_id, key, card.plan, written)

    def remove_license(self, key: ObjectId) -> int:
        self.cards.remove(key)
        return self.db.licenses.delete_one({"_id": key}).deleted_count
