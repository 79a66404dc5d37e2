"""Settings of the rules, with their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rules.model.changes import Fields, Plan
from rules.model.events import EventType
from rules.settings.catalog import PLACEHOLDER, STYLES, TEXTS, EventStyle, Texts, short_name
from rules.settings.custom_rules import CustomRule
from rules.settings.goals import Goal
from rules.settings.thresholds import Thresholds
from rules.text import customer_name


class DeletionLimit(NamedTuple):
    """Deletions of more documents than `number` and than `share` of their collection need approval."""

    number: int
    share: float

    def is_exceeded(self, deleted: int, known: int) -> bool:
        """Return whether so many deletions of `known` documents (deleted ones included) need approval."""
        return deleted > self.number and deleted > known * self.share


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings that rules use besides their arguments.

    `zone` defines the business day; `rates` are EUR per unit of another currency; `plan_order` breaks ties between
    plans of equal price; `manual_source` and `manual_email` mark manually entered licenses. `texts` and `emojis`
    (of events with a subtype) may be incomplete: a missing key has its default. `plan_names` are the names of plans in
    texts, by `name` of the plan; other plans have the beginning of their title. `deletion_limit` is None if every
    deletion is applied without approval.
    """

    zone: tzinfo = field(default_factory=lambda: ZoneInfo("Europe/Rome"))
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    plan_order: tuple[str, ...] = ("starter", "pro", "agency", "founders")
    manual_source: str = "manual_insert"
    manual_email: str = "manual@chatello.io"
    note_names: int = 2
    note_length: int = 600
    plan_names: Mapping[str, str] = field(default_factory=dict)
    texts: Texts = field(default_factory=lambda: TEXTS)
    styles: Mapping[EventType, EventStyle] = field(default_factory=lambda: STYLES)
    emojis: Mapping[str, str] = field(default_factory=dict)
    custom: tuple[CustomRule, ...] = ()
    goals: tuple[Goal, ...] = ()
    deletion_limit: DeletionLimit | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)

    def plan_title(self, plan: Plan) -> str:
        """Return a plan's name in texts, such as "Pro"."""
        return short_name(plan, self.plan_names)

    def customer_name(self, fields: Fields) -> str:
        """Return a customer's name as events carry it, "" if unknown; the placeholder customer has none of its own."""
        return PLACEHOLDER if fields.get("email") == self.manual_email else customer_name(fields)
