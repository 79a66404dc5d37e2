"""The calendar: holidays, days of commerce, the company's own dates and its birthday."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from rules.model.events import Event, EventType
from rules.settings.catalog import TEXTS as HOUSE
from rules.settings.catalog import Texts, render
from rules.settings.settings import Settings
from rules.settings.thresholds import CalendarOptions
from rules.text import one_line

TEXTS: Mapping[str, str] = {
    "Capodanno": "Buon anno: è Capodanno!",
    "Pasqua": "Buona Pasqua!",
    "Ferragosto": "Buon Ferragosto!",
    "Natale": "Buon Natale!",
    "Black Friday": "Oggi è il Black Friday!",
    "Cyber Monday": "Oggi è il Cyber Monday!",
}
"""What is said of a date by its name; of any other the general text of a holiday."""


class Occasion(NamedTuple):
    """What a date is. `name` tells it from the date's other occasions; others may tell of public ones too."""

    name: str
    text: str
    years: int | None = None
    is_public: bool = False


def check(options: CalendarOptions) -> None:
    """Raises ValueError, naming the key and what was wanted, for holidays that the library does not know."""
    import holidays  # noqa: PLC0415 - for those who ask for other holidays only

    countries = holidays.list_supported_countries()
    languages = holidays.list_localized_countries().get(options.country, [])
    if options.country not in countries:
        raise ValueError(
            f"calendar.country: wanted a country of the holidays library, such as IT, got {options.country!r}"
        )
    parts = countries[options.country]
    if options.subdivision and options.subdivision not in parts:
        known = f"one of {', '.join(parts)}" if parts else f"none: {options.country} has no subdivisions"
        raise ValueError(f"calendar.subdivision: wanted {known}, got {options.subdivision!r}")
    if languages and options.language not in languages:
        raise ValueError(f"calendar.language: wanted one of {', '.join(languages)}, got {options.language!r}")


def events(day: date, wall_time: time, settings: Settings) -> list[Event]:
    """What the calendar says of `day`, at `wall_time` of it in the business zone."""
    at = moment(day, wall_time, settings.zone)
    found = list(occasions(day, settings))
    first = next((occasion for occasion in found if occasion.is_public), None)
    return [_event(occasion, day, at, occasion is first) for occasion in found]


def moment(day: date, wall_time: time, zone: tzinfo) -> datetime:
    """The instant, in UTC, at which clocks in `zone` show `wall_time` on `day`; one DST skips is moved on."""
    return datetime.combine(day, wall_time, zone).astimezone(UTC)


def occasions(day: date, settings: Settings) -> Iterator[Occasion]:
    """All that `day` is, apart from what is switched off."""
    options, texts = settings.thresholds.calendar, settings.texts
    yield from anniversary(day, options, texts)
    for name in (*holiday_names(day, options), *commerce(day)):
        if name not in options.switched_off:
            yield Occasion(name, said_of(name, settings), is_public=True)
    for month_day, text in sorted(options.own_dates.items()):
        if falls_on(day, month_day) and (line := one_line(text)):
            yield Occasion(f"own-{month_day}", line)


def said_of(name: str, settings: Settings) -> str:
    """The owner's words for a date by its name, else those of the house."""
    own = one_line(settings.thresholds.calendar.texts.get(name))
    return own or TEXTS.get(name) or render(settings.texts, "holiday", name=name)


def anniversary(day: date, options: CalendarOptions, texts: Texts = HOUSE) -> Iterator[Occasion]:
    """The company's birthday, from its first year on."""
    birthday = options.company_birthday
    if birthday is None or day.year <= birthday.year or not falls_on(day, f"{birthday:%m-%d}"):
        return
    years = day.year - birthday.year
    key = "anniversary_first" if years == 1 else "anniversary"
    yield Occasion("anniversary", render(texts, key, company=options.company_name, value=years), years)


def holiday_names(day: date, options: CalendarOptions) -> list[str]:
    """The public holidays of `day`, as people call them; two may share a date."""
    official = _holidays(options.country, options.subdivision, options.language, day.year).get(day, ())
    return [options.renamed.get(name, name) for name in official]


def commerce(day: date) -> Iterator[str]:
    """Black Friday, the day after the fourth Thursday of November, and the Monday that follows."""
    if day == black_friday(day.year):
        yield "Black Friday"
    if day == black_friday(day.year) + timedelta(3):
        yield "Cyber Monday"


def black_friday(year: int) -> date:
    """Between 23 and 29 November: the fourth Thursday lies between the 22nd and the 28th."""
    earliest = date(year, 11, 23)
    return earliest + timedelta((4 - earliest.weekday()) % 7)


def falls_on(day: date, month_day: str) -> bool:
    """Whether `day` is the "MM-DD" of its year; 29 February is the 28th in a year without one."""
    if f"{day:%m-%d}" == month_day:
        return True
    return month_day == "02-29" and f"{day:%m-%d}" == "02-28" and (day + timedelta(1)).month == 3


@lru_cache(maxsize=16)
def _holidays(country: str, subdivision: str, language: str, year: int) -> Mapping[date, Sequence[str]]:
    """A year's holidays; the language is named, as the library would else follow the environment."""
    import holidays  # noqa: PLC0415 - its 40 modules are for whoever asks first, not for all that is started

    found = holidays.country_holidays(country, subdivision or None, years=year, language=language)
    names = {day: map(str.strip, text.split(holidays.HOLIDAY_NAME_DELIMITER)) for day, text in found.items()}
    return MappingProxyType({day: tuple(filter(None, several)) for day, several in names.items()})


def _event(occasion: Occasion, day: date, at: datetime, is_first: bool) -> Event:
    """The first public occasion has the date alone for a key: it is what somebody else's event of it stands for."""
    years = {} if occasion.years is None else {"anniversary": occasion.years}
    return Event(
        key=f"calendar:{day.isoformat()}" + ("" if is_first else f":{'-'.join(occasion.name.casefold().split())}"),
        type=EventType.MARKETING_CAMPAIGN if occasion.years is None else EventType.MILESTONE_REACHED,
        at=at,
        description=occasion.text,
        metadata={"special_date": f"{day:%m-%d}", "name": occasion.name, **years},
    )
