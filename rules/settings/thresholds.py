"""The numbers behind milestones, growth, trends and the calendar, with the defaults of the house."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date

MOST_DAYS = 36_500
MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CalendarOptions:
    """Which dates are told, and how they are named.

    `country`, `subdivision` (such as "BZ") and `language` are those of the `holidays` library; `renamed` gives one of
    its holidays the name people use; `own_dates` maps "MM-DD" to a text; `texts` says something else of a date by its
    name; `switched_off` holds names (after renaming) that are not told, such as "Cyber Monday".
    Raises ValueError for an own date that is none.
    """

    country: str = "IT"
    subdivision: str = ""
    language: str = "it_IT"
    renamed: Mapping[str, str] = field(
        default_factory=lambda: {
            "Assunzione della Beata Vergine Maria": "Ferragosto",
            "Festa nazionale di San Francesco d'Assisi, patrono d'Italia": "San Francesco d'Assisi",
        }
    )
    own_dates: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    company_name: str = "Chatello"
    company_birthday: date | None = None
    switched_off: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for month_day in self.own_dates:
            if not _is_month_day(month_day):
                raise ValueError(f'own_dates: wanted "MM-DD", such as "05-20", got {month_day!r:.40}')


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a number is worth a word. Lists of levels ascend; beyond their end 1, 2.5, 5 times ten goes on.

    `deviations` is the k of median + k · 1.4826 · MAD; a `*_minimum` is the least number worth a word at all.
    `plan_change_minutes` is how far apart the end of one licence and the start of another may be, to be one change of
    plan; 0 keeps them apart. `payment_window_hours` is how far apart a payment may be seen from different sides, and
    `payment_news_days` how long before its document a payment may have been made to be news.
    Raises ValueError, naming the field, for levels that are empty, not positive or out of order, and for numbers below
    0 (of days looked back over: 1) or so large that no calendar reaches so far.
    """

    customers: tuple[int, ...] = (10, 25, 50, 100, 250, 500, 1000)
    licenses: tuple[int, ...] = (5, 10, 25, 50, 100, 250, 500, 1000)
    mrr_euros: tuple[int, ...] = (100, 250, 500, 1000)
    api_calls: tuple[int, ...] = (100, 500, 1000)

    plan_change_minutes: int = 60
    payment_window_hours: int = 24
    payment_news_days: int = 7

    growth_days: int = 7
    growth_mrr_cents: int = 20_00
    growth_customers: int = 5
    growth_paying: int = 3
    growth_cooldown_days: int = 7

    trend_history_days: int = 14
    record_mrr_cents: int = 5_00
    record_cooldown_days: int = 7
    best_day_minimum: int = 3
    streak_days: tuple[int, ...] = (7, 14, 30, 60, 90, 180, 365)
    cancellations_minimum: int = 3
    cancellations_window_days: int = 56
    cancellations_history_days: int = 28
    deviations: float = 3.0

    calendar: CalendarOptions = field(default_factory=CalendarOptions)

    def __post_init__(self) -> None:
        for name in ("customers", "licenses", "mrr_euros", "api_calls", "streak_days"):
            levels: tuple[int, ...] = getattr(self, name)
            if not levels or levels[0] <= 0 or list(levels) != sorted(set(levels)):
                raise ValueError(f"{name} must be positive numbers in ascending order, got {list(levels)}")
        for name, value in ((one.name, getattr(self, one.name)) for one in fields(self)):
            least = 1 if name in ("growth_days", "cancellations_window_days") else 0
            most = MOST_DAYS if name.endswith("_days") else MOST
            if isinstance(value, int | float) and not least <= value <= most:
                raise ValueError(f"{name} must be a number from {least} to {most}, got {value}")


def _is_month_day(text: str) -> bool:
    """Whether some year has that day: 29 February is one."""
    try:
        return len(text) == len("MM-DD") and bool(date.fromisoformat(f"2024-{text}"))
    except ValueError:
        return False
