"""Thresholds of milestones, growth, trends and the calendar, with their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date

MAX_DAYS = 36_500
MAX_VALUE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CalendarOptions:
    """The dates that have events, with their names and texts.

    `country`, `subdivision` (such as "BZ") and `language` are those of the `holidays` library; `renamed` maps its
    holiday names to common ones; `own_dates` maps "MM-DD" to a text; `texts` maps the name of a date to its text;
    `switched_off` holds names (after renaming) of dates without an event, such as "Cyber Monday".
    Raises ValueError for an own date that is not a valid "MM-DD".
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
    switched_off: frozenset[str] = frozenset(("Giorno dell'unità nazionale",))

    def __post_init__(self) -> None:
        for month_day in self.own_dates:
            if not _is_month_day(month_day):
                raise ValueError(f'own_dates: must be "MM-DD", such as "05-20", got {month_day!r:.40}')


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Numbers at which events are emitted. Levels ascend; after the last one they are 1, 2.5, 5 times powers of ten.

    `deviations` is the k of median + k · 1.4826 · MAD; a `*_minimum` is the smallest number with an event.
    `plan_change_minutes` is the maximum time between the end of one license and the start of another, or of the same,
    that count as one change; 0 disables that. `payment_window_hours` is the maximum time between observations of one
    payment by different sources, `external_window_minutes` that between an event of a license and an external event of
    the same type. `payment_news_days` is the maximum age of a payment at the arrival of its document to have an event.
    Raises ValueError with the field for levels that are empty, not positive or not ascending, and for numbers below 0
    (below 1 for `growth_days` and `cancellations_window_days`) or above MAX_DAYS (days) or MAX_VALUE (others).
    """

    customers: tuple[int, ...] = (10, 25, 50, 100, 250, 500, 1000)
    licenses: tuple[int, ...] = (5, 10, 25, 50, 100, 250, 500, 1000)
    mrr_euros: tuple[int, ...] = (100, 250, 500, 1000)
    api_calls: tuple[int, ...] = (100, 500, 1000)

    plan_change_minutes: int = 60
    payment_window_hours: int = 24
    external_window_minutes: int = 60
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
            most = MAX_DAYS if name.endswith("_days") else MAX_VALUE
            if isinstance(value, int | float) and not least <= value <= most:
                raise ValueError(f"{name} must be a number from {least} to {most}, got {value}")


def _is_month_day(text: str) -> bool:
    """Return whether the day exists in a leap year."""
    try:
        return len(text) == len("MM-DD") and bool(date.fromisoformat(f"2024-{text}"))
    except ValueError:
        return False
