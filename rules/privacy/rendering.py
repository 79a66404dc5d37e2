"""Rendering of stored events from their type and fields, never from their text."""

from collections.abc import Mapping
from typing import Any

from rules.model.changes import Plan
from rules.model.event_keys import GROWTH_FIELDS
from rules.model.events import PAYMENT_EVENTS, EventType
from rules.settings import catalog, goal_texts
from rules.settings.settings import Settings
from rules.text import MAX_NAME, note_text, one_line

STATUS_EVENTS = (
    EventType.LICENSE_ACTIVATED,
    EventType.LICENSE_CANCELLED,
    EventType.LICENSE_SUSPENDED,
    EventType.LICENSE_EXPIRED,
    EventType.LICENSE_RENEWED,
)
MILESTONE_TYPES = ("customers", "licenses", "mrr", "api_calls")
MAX_LEVEL = 10**12


def rendered(stored: Mapping[str, Any], plans: Mapping[str, Plan], settings: Settings) -> str:
    """Return the description with the texts of `settings`; the stored one if the event lacks the data for it.

    `plans` are by name.
    """
    return from_fields(stored, plans, settings) or note_text(stored.get("description"))


def from_fields(stored: Mapping[str, Any], plans: Mapping[str, Plan], settings: Settings) -> str | None:
    """Return the text of an event about a customer or a plan, or of a milestone; None if it lacks the data for it."""
    metadata = stored.get("metadata")
    facts: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    return _of_customer(stored, facts, settings) or _of_plan(stored, facts, plans, settings)


def of_numbers(stored: Mapping[str, Any], plans: Mapping[str, Plan], settings: Settings) -> str | None:
    """Return the text of a milestone, a goal, a growth or a limited sale; None for other events."""
    metadata = stored.get("metadata")
    if stored.get("event_type") != EventType.MILESTONE_REACHED or not isinstance(metadata, Mapping):
        return None
    kind, level = metadata.get("milestone_type"), _whole(metadata.get("milestone_value"))
    if isinstance(kind, str) and kind in MILESTONE_TYPES and level is not None:
        return catalog.milestone(kind, level, settings.texts)
    return _goal(metadata, settings) or _growth(metadata, settings) or _limited_sale(stored, metadata, plans, settings)


def _of_customer(stored: Mapping[str, Any], facts: Mapping[str, Any], settings: Settings) -> str | None:
    name = one_line(facts.get("customer_name"), MAX_NAME)
    kind, amount = stored.get("event_type"), catalog.cents(stored.get("amount"))
    if kind == EventType.NEW_CUSTOMER:
        return catalog.new_customer(name, settings.texts)
    if kind in PAYMENT_EVENTS and amount is not None:
        return catalog.payment(EventType(str(kind)), amount, name, settings.texts)
    return None


def _of_plan(
    stored: Mapping[str, Any], facts: Mapping[str, Any], plans: Mapping[str, Plan], settings: Settings
) -> str | None:
    kind, plan = stored.get("event_type"), plans.get(str(stored.get("plan_name")))
    name = one_line(facts.get("customer_name"), MAX_NAME)
    if plan is None:
        return None
    title = settings.plan_title(plan)
    if kind == EventType.LICENSE_CREATED:
        return catalog.license_created(title, name, "origin" in facts, settings.texts)
    if kind in STATUS_EVENTS:
        return catalog.license_changed(EventType(str(kind)), title, name, settings.texts)
    before = plans.get(str(facts.get("previous_plan")))
    if before is None or kind not in (EventType.PLAN_UPGRADED, EventType.PLAN_DOWNGRADED):
        return _limited_sale(stored, facts, plans, settings)
    titles = (settings.plan_title(before), title)
    return catalog.plan_changed(*titles, name, kind == EventType.PLAN_UPGRADED, settings.texts)


def _limited_sale(
    stored: Mapping[str, Any], facts: Mapping[str, Any], plans: Mapping[str, Plan], settings: Settings
) -> str | None:
    plan, remaining = plans.get(str(stored.get("plan_name"))), _whole(facts.get("founders_remaining"))
    if plan is None or remaining is None:
        return None
    return catalog.limited_sale(settings.plan_title(plan), remaining, plan.limit, settings.texts)


def _goal(facts: Mapping[str, Any], settings: Settings) -> str | None:
    metric, value = facts.get("goal_metric"), _whole(facts.get("goal_value"))
    if not isinstance(metric, str) or metric not in goal_texts.METRICS or value is None:
        return None
    return goal_texts.goal_reached(metric, value, settings.texts)


def _growth(facts: Mapping[str, Any], settings: Settings) -> str | None:
    """Return the text of a growth event with one number; `growth_period` is such as "7_days"."""
    days = str(facts.get("growth_period")).removesuffix("_days")
    found = [(kind, facts[name]) for kind, name in GROWTH_FIELDS.items() if name in facts]
    if len(found) != 1 or not (days.isdecimal() and days.isascii() and len(days) < 6):
        return None
    kind, value = found[0]
    amount = catalog.cents(value) if kind == "mrr" else _whole(value)
    return None if amount is None else catalog.growth(kind, amount, int(days), settings.texts)


def _whole(value: object) -> int | None:
    """Return a number of a stored event as an integer; None if it is not a whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_LEVEL:
        return None
    return int(value) if value == int(value) else None
