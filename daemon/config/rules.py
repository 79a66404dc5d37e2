"""Section `[rules]` of the configuration: the owner's values merged with the defaults, and validated."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from rules.model.events import EventType
from rules.settings import custom_rules as custom
from rules.settings import goals as goal_rules
from rules.settings.catalog import EMOJIS, STYLES, TEXTS, EventStyle, check_texts
from rules.settings.custom_rules import CustomRule
from rules.settings.goals import Goal
from rules.settings.settings import Settings
from rules.settings.thresholds import CalendarOptions, Thresholds


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _check_calendar(thresholds: Thresholds) -> Thresholds:
    default, chosen = CalendarOptions(), thresholds.calendar
    if (chosen.country, chosen.subdivision, chosen.language) != (
        default.country,
        default.subdivision,
        default.language,
    ):
        from rules.insights import calendar  # noqa: PLC0415 - the library takes 0.2 s

        calendar.check(chosen)
    return thresholds


def _merged_with(defaults: Mapping[Any, Any], *, closed: bool = True) -> BeforeValidator:
    """Merge the given values into the defaults; if `closed`, keys without a default are rejected."""

    def merge(given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        unknown = [key for key in given if key not in defaults]
        if unknown and closed:
            raise ValueError(f"{unknown[0]}: unknown key; expected one of {', '.join(map(str, defaults))}")
        return {**defaults, **given}

    return BeforeValidator(merge)


def _check_texts(texts: dict[str, str]) -> dict[str, str]:
    check_texts(texts)
    return texts


def _complete_styles(given: object) -> object:
    """Fill missing fields of each style with their defaults."""
    if not isinstance(given, Mapping):
        return given
    complete = {
        kind: {**STYLES[kind]._asdict(), **style} if isinstance(style, Mapping) else style
        for kind, style in given.items()
        if kind in STYLES
    }
    return {**given, **complete}


def _check_custom_rules(rules: tuple[CustomRule, ...]) -> tuple[CustomRule, ...]:
    custom.check(rules)
    return rules


def _check_goals(goals: tuple[Goal, ...]) -> tuple[Goal, ...]:
    goal_rules.check(goals)
    return goals


def split_list(value: object) -> object:
    """Split the comma-separated list of an environment variable."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Rules(Section):
    """Settings of the rules; see docs/configuration.md."""

    plan_order: Annotated[tuple[str, ...], BeforeValidator(split_list)] = Settings().plan_order
    plan_names: dict[str, str] = {}
    rates: dict[str, Annotated[Decimal, Field(gt=0)]] = {}
    manual_source: str = Settings().manual_source
    manual_email: str = Settings().manual_email
    note_names: int = Field(default=Settings().note_names, ge=0, le=20)
    note_length: int = Field(default=Settings().note_length, ge=80, le=5000)
    custom: Annotated[tuple[CustomRule, ...], AfterValidator(_check_custom_rules)] = ()
    goals: Annotated[tuple[Goal, ...], AfterValidator(_check_goals)] = ()
    texts: Annotated[dict[str, str], _merged_with(TEXTS), AfterValidator(_check_texts)] = dict(TEXTS)
    styles: Annotated[dict[EventType, EventStyle], _merged_with(STYLES), BeforeValidator(_complete_styles)] = dict(
        STYLES
    )
    emojis: Annotated[dict[str, str], _merged_with(EMOJIS, closed=False)] = dict(EMOJIS)
    thresholds: Annotated[Thresholds, AfterValidator(_check_calendar)] = Thresholds()
