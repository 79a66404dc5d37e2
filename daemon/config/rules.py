"""The section `[rules]` of the configuration: what the owner says, over what the house says, and checked."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from rules.model.events import EventType
from rules.settings import custom_rules as custom
from rules.settings.catalog import EMOJIS, STYLES, TEXTS, Style, check_texts
from rules.settings.custom_rules import CustomRule
from rules.settings.settings import Settings
from rules.settings.thresholds import CalendarOptions, Thresholds


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _known_dates(thresholds: Thresholds) -> Thresholds:
    ours, wanted = CalendarOptions(), thresholds.calendar
    if (wanted.country, wanted.subdivision, wanted.language) != (ours.country, ours.subdivision, ours.language):
        from rules.insights import calendar  # noqa: PLC0415 - its library takes 0.2 s, for those who ask for other holidays only

        calendar.check(wanted)
    return thresholds


def _over(house: Mapping[Any, Any], *, closed: bool = True) -> BeforeValidator:
    """What the owner says, over what the house says; a key the house does not have is a mistake if it is closed."""

    def merge(given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        stray = [key for key in given if key not in house]
        if stray and closed:
            raise ValueError(f"{stray[0]}: there is no such key; wanted some of {', '.join(map(str, house))}")
        return {**house, **given}

    return BeforeValidator(merge)


def _worded(texts: dict[str, str]) -> dict[str, str]:
    check_texts(texts)
    return texts


def _styled(given: object) -> object:
    """A style of which only some is said has the rest from the house."""
    if not isinstance(given, Mapping):
        return given
    partly = {
        kind: {**STYLES[kind]._asdict(), **style} if isinstance(style, Mapping) else style
        for kind, style in given.items()
        if kind in STYLES
    }
    return {**given, **partly}


def _named_apart(rules: tuple[CustomRule, ...]) -> tuple[CustomRule, ...]:
    custom.check(rules)
    return rules


def listed(value: object) -> object:
    """A list in an environment variable is written with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Rules(Section):
    """What the rules may be told; see docs/configuration.md."""

    plan_order: Annotated[tuple[str, ...], BeforeValidator(listed)] = Settings().plan_order
    rates: dict[str, Annotated[Decimal, Field(gt=0)]] = {}
    manual_source: str = Settings().manual_source
    manual_email: str = Settings().manual_email
    note_names: int = Field(default=Settings().note_names, ge=0, le=20)
    note_length: int = Field(default=Settings().note_length, ge=80, le=5000)
    custom: Annotated[tuple[CustomRule, ...], AfterValidator(_named_apart)] = ()
    texts: Annotated[dict[str, str], _over(TEXTS), AfterValidator(_worded)] = dict(TEXTS)
    styles: Annotated[dict[EventType, Style], _over(STYLES), BeforeValidator(_styled)] = dict(STYLES)
    emojis: Annotated[dict[str, str], _over(EMOJIS, closed=False)] = dict(EMOJIS)
    thresholds: Annotated[Thresholds, AfterValidator(_known_dates)] = Thresholds()
