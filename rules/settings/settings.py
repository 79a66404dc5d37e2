"""What an owner may change about the rules, with the defaults of the house."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from rules.model.events import EventType
from rules.settings.catalog import STYLES, TEXTS, Style, Texts
from rules.settings.custom_rules import CustomRule
from rules.settings.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a rule may ask for besides its arguments.

    `zone` gives the business day; `rates` are EUR per unit of another currency; `plan_order` breaks ties
    between plans of the same price; `manual_source` and `manual_email` mark licences entered by hand. `texts` may hold
    only some; `emojis` are those of events told apart by more than their type, where they are not the house's.
    """

    zone: tzinfo = field(default_factory=lambda: ZoneInfo("Europe/Rome"))
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    plan_order: tuple[str, ...] = ("starter", "pro", "agency", "founders")
    manual_source: str = "manual_insert"
    manual_email: str = "manual@chatello.io"
    note_names: int = 2
    note_length: int = 600
    texts: Texts = field(default_factory=lambda: TEXTS)
    styles: Mapping[EventType, Style] = field(default_factory=lambda: STYLES)
    emojis: Mapping[str, str] = field(default_factory=dict)
    custom: tuple[CustomRule, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
