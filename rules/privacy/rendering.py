"""What a stored event of ours would say in other words: by its type and what it carries, never by its text."""

from collections.abc import Mapping
from typing import Any

from rules.model.changes import Plan
from rules.model.events import PAYMENT_EVENTS, EventType
from rules.settings import catalog
from rules.settings.settings import Settings
from rules.text import MAX_NAME, one_line

TURNED = (
    EventType.LICENSE_ACTIVATED,
    EventType.LICENSE_CANCELLED,
    EventType.LICENSE_SUSPENDED,
    EventType.LICENSE_EXPIRED,
    EventType.LICENSE_RENEWED,
)


def rendered(stored: Mapping[str, Any], plans: Mapping[str, Plan], settings: Settings) -> str:
    """The description by `settings`; the stored one where the event does not carry enough to tell it again.

    `plans` are by name.
    """
    metadata = stored.get("metadata")
    facts: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    said = _of_customer(stored, facts, settings) or _of_plan(stored, facts, plans, settings)
    return said or one_line(stored.get("description"))


def _of_customer(stored: Mapping[str, Any], facts: Mapping[str, Any], settings: Settings) -> str | None:
    name = one_line(facts.get("customer_name"), MAX_NAME)
    if stored.get("event_type") == EventType.NEW_CUSTOMER:
        return catalog.new_customer(name, settings.texts)
    amount = stored.get("amount")
    kind = stored.get("event_type")
    if kind in PAYMENT_EVENTS and isinstance(amount, int | float):
        return catalog.payment(EventType(str(kind)), round(amount * 100), name, settings.texts)
    return None


def _of_plan(
    stored: Mapping[str, Any], facts: Mapping[str, Any], plans: Mapping[str, Plan], settings: Settings
) -> str | None:
    kind, plan = stored.get("event_type"), plans.get(str(stored.get("plan_name")))
    name = one_line(facts.get("customer_name"), MAX_NAME)
    if plan is None:
        return None
    if kind == EventType.LICENSE_CREATED:
        return catalog.license_created(plan, name, "origin" in facts, settings.texts)
    if kind in TURNED:
        return catalog.license_turned(EventType(str(kind)), plan, name, settings.texts)
    if isinstance(remaining := facts.get("founders_remaining"), int):
        return catalog.limited_sale(plan, remaining, settings.texts)
    before = plans.get(str(facts.get("previous_plan")))
    if before is None or kind not in (EventType.PLAN_UPGRADED, EventType.PLAN_DOWNGRADED):
        return None
    return catalog.plan_changed(before, plan, name, kind == EventType.PLAN_UPGRADED, settings.texts)
