"""Calendar events: holidays, shopping days, the company's own dates and its anniversary."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from rules.model.events import Event, EventType
from rules.settings.catalog import TEXTS as DEFAULT_TEXTS
from rules.settings.catalog import Texts, render
from rules.settings.settings import Settings
from rules.settings.thresholds import CalendarOptions
from rules.text import note_text

TEXTS: Mapping[str, str] = {
    "Capodanno": "Buon anno: è Capodanno!",
    "Epifania": "Buona Epifania!",
    "Pasqua": "Buona Pasqua!",
    "Lunedì dell'Angelo": "Buona Pasquetta!",
    "Anniversario della Liberazione": "25 aprile: Festa della Liberazione",
    "Festa del Lavoro": "Buon 1º maggio!",
    "Festa della Repubblica": "2 giugno: Festa della Repubblica",
    "Ferragosto": "Buon Ferragosto!",
    "Ognissanti": "1º novembre: Ognissanti",
    "Immacolata Concezione": "8 dicembre: festa dell’Immacolata",
    "Natale": "Buon Natale!",
    "Santo Stefano": "Buon Santo Stefano!",
    "Black Friday": "Oggi è Black Friday!",
    "Cyber Monday": "Oggi è Cyber Monday!",
}
"""Text of a date by its name; all others have the general text of a holiday."""


class Occasion(NamedTuple):
    """One event of a date. `name` is unique within the date; external events may report public occasions too."""

    name: str
    text: str
    years: int | None = None
    is_public: bool = False


def check(options: CalendarOptions) -> None:
    """Raise ValueError with the key and the accepted values for options that `holidays` does not support."""
    import holidays  # noqa: PLC0415 - 40 modules, needed only if the options differ from the defaults

    countries = holidays.list_supported_countries()
    languages = holidays.list_localized_countries().get(options.country, [])
    if options.country not in countries:
        raise ValueError(
            f"calendar.country: must be a country of the holidays library, such as IT, got {options.country!r}"
        )
    parts = countries[options.country]
    if options.subdivision and options.subdivision not in parts:
        known = f"one of {', '.join(parts)}" if parts else f"empty: {options.country} has no subdivisions"
        raise ValueError(f"calendar.subdivision: must be {known}, got {options.subdivision!r}")
    if languages and options.language not in languages:
        raise ValueError(f"calendar.language: must be one of {', '.join(languages)}, got {options.language!r}")


def events(day: date, wall_time: time, settings: Settings) -> list[Event]:
    """Return the calendar events of `day`, dated at `wall_time` in the business time zone."""
    at = moment(day, wall_time, settings.zone)
    found = list(occasions(day, settings))
    first = next((occasion for occasion in found if occasion.is_public), None)
    return [_event(occasion, day, at, occasion is first) for occasion in found]


def moment(day: date, wall_time: time, zone: tzinfo) -> datetime:
    """Return the UTC instant of `wall_time` on `day` in `zone`; a time skipped by DST moves forward."""
    return datetime.combine(day, wall_time, zone).astimezone(UTC)


def occasions(day: date, settings: Settings) -> Iterator[Occasion]:
    """Yield the occasions of `day` that are not switched off."""
    options, texts = settings.thresholds.calendar, settings.texts
    yield from anniversary(day, options, texts)
    for name in (*holiday_names(day, options), *shopping_days(day)):
        if not _names(name) & options.switched_off:
            yield Occasion(name, text_of(name, settings), is_public=True)
    for month_day, text in sorted(options.own_dates.items()):
        if falls_on(day, month_day) and (line := note_text(text)):
            yield Occasion(f"own-{month_day}", line)


def text_of(name: str, settings: Settings) -> str:
    """Return the configured text of a date by its name, else the default text."""
    own = note_text(_option(settings.thresholds.calendar.texts, name))
    return own or TEXTS.get(name) or render(settings.texts, "holiday", name=name)


def anniversary(day: date, options: CalendarOptions, texts: Texts = DEFAULT_TEXTS) -> Iterator[Occasion]:
    """Yield the company's anniversary, from its first year on."""
    birthday = options.company_birthday
    if birthday is None or day.year <= birthday.year or not falls_on(day, f"{birthday:%m-%d}"):
        return
    years = day.year - birthday.year
    key = "anniversary_first" if years == 1 else "anniversary"
    yield Occasion("anniversary", render(texts, key, company=options.company_name, value=years), years)


def holiday_names(day: date, options: CalendarOptions) -> list[str]:
    """Return the public holidays of `day` after renaming; two may share a date."""
    official = _holidays(options.country, options.subdivision, options.language, day.year).get(day, ())
    return [_option(options.renamed, name) or name for name in official]


def shopping_days(day: date) -> Iterator[str]:
    """Yield Black Friday (the day after the fourth Thursday of November) and Cyber Monday (three days later)."""
    if day == black_friday(day.year):
        yield "Black Friday"
    if day == black_friday(day.year) + timedelta(3):
        yield "Cyber Monday"


def black_friday(year: int) -> date:
    """Return the Friday between 23 and 29 November: the fourth Thursday is between the 22nd and the 28th."""
    earliest = date(year, 11, 23)
    return earliest + timedelta((4 - earliest.weekday()) % 7)


def falls_on(day: date, month_day: str) -> bool:
    """Return whether `day` is the "MM-DD" of its year; 29 February is the 28th in a common year."""
    if f"{day:%m-%d}" == month_day:
        return True
    return month_day == "02-29" and f"{day:%m-%d}" == "02-28" and (day + timedelta(1)).month == 3


def _names(name: str) -> set[str]:
    """Return the forms in which the configuration may name a date: with a straight or a typographic apostrophe."""
    return {name, name.replace("'", "’"), name.replace("’", "'")}


def _option(options: Mapping[str, str], name: str) -> str | None:
    return next((options[form] for form in sorted(_names(name)) if form in options), None)


@lru_cache(maxsize=16)
def _holidays(country: str, subdivision: str, language: str, year: int) -> Mapping[date, Sequence[str]]:
    """Return a year's holidays. The language is explicit because the library would otherwise use the environment's."""
    import holidays  # noqa: PLC0415 - 40 modules that most commands do not need

    found = holidays.country_holidays(country, subdivision or None, years=year, language=language)
    names = {day: map(str.strip, text.split(holidays.HOLIDAY_NAME_DELIMITER)) for day, text in found.items()}
    return MappingProxyType({day: tuple(filter(None, several)) for day, several in names.items()})


def _event(occasion: Occasion, day: date, at: datetime, is_first: bool) -> Event:
    """Return the event. The key of the first public occasion is the date only: external events of the date match it."""
    years = {} if occasion.years is None else {"anniversary": occasion.years}
    return Event(
        key=f"calendar:{day.isoformat()}" + ("" if is_first else f":{'-'.join(occasion.name.casefold().split())}"),
        type=EventType.MARKETING_CAMPAIGN if occasion.years is None else EventType.MILESTONE_REACHED,
        at=at,
        description=occasion.text,
        metadata={"special_date": f"{day:%m-%d}", "name": occasion.name, **years},
    )
