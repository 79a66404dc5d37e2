"""What an owner may change about the rules, with the defaults of the house."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from rules.custom import CustomRule
from rules.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a rule may ask for besides its arguments.

    `zone` gives the business day; `rates` are EUR per unit of another currency; `plan_order` breaks ties
    between plans of the same price; `manual_source` and `manual_email` mark licences entered by hand.
    """

    zone: tzinfo = field(default_factory=lambda: ZoneInfo("Europe/Rome"))
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    plan_order: tuple[str, ...] = ("starter", "pro", "agency", "founders")
    manual_source: str = "manual_insert"
    manual_email: str = "manual@chatello.io"
    note_names: int = 2
    note_length: int = 600
    custom: tuple[CustomRule, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
