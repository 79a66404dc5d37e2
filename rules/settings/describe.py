"""The rules in force, said in plain English with their numbers: for `rules explain`."""

from collections.abc import Iterator, Sequence

from rules.settings.catalog import EMOJIS, TEXTS, euro
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

Line = tuple[str, str]


def explanation(settings: Settings) -> Iterator[tuple[str, list[Line]]]:
    """Sections of lines: a rule's name, and when it speaks."""
    thresholds = settings.thresholds
    yield "Milestones: once in a lifetime, the highest of a jump", _milestones(thresholds)
    yield f"Growth in {thresholds.growth_days} days, told as a day ends", _growth(thresholds)
    yield "Trends, told as a day ends", _trends(thresholds)
    yield "Calendar, told as a day begins", _calendar(settings)
    yield (
        "Rules of your own",
        [
            (rule.name, f"{rule.collection} that match {dict(rule.match)}: {rule.event_type}, {rule.text!r}")
            for rule in settings.custom
        ]
        or [("none", "see docs/configuration.md")],
    )
    yield "Licences and plans", _licenses(settings)
    yield f"Note: at most {settings.note_length} characters, {settings.note_names} names when many", _note(settings)
    yield "Your words and emoji", _words(settings)


def _milestones(thresholds: Thresholds) -> list[Line]:
    return [
        ("customers", _levels(thresholds.customers)),
        ("active licences", _levels(thresholds.licenses)),
        ("MRR in euros", _levels(thresholds.mrr_euros)),
        ("API calls of a day", _levels(thresholds.api_calls)),
        ("limited plans", "at every sale of a lifetime plan with a limit: how many remain"),
    ]


def _levels(levels: Sequence[int]) -> str:
    return f"{', '.join(f'{level:,}' for level in levels)}, then 1, 2.5 and 5 times ten"


def _growth(thresholds: Thresholds) -> list[Line]:
    rest = f"then silent for {thresholds.growth_cooldown_days} days"
    return [
        ("MRR", f"{euro(thresholds.growth_mrr_cents)} or more, {rest}"),
        ("customers", f"{thresholds.growth_customers} or more, {rest}"),
        ("paying customers", f"{thresholds.growth_paying} or more, {rest}"),
    ]


def _trends(thresholds: Thresholds) -> list[Line]:
    history = f"once {thresholds.trend_history_days} days are known"
    record, rest = euro(thresholds.record_mrr_cents), thresholds.record_cooldown_days
    window, least = thresholds.cancellations_window_days, thresholds.cancellations_history_days
    usual = f"median + {thresholds.deviations:g} robust deviations of the last {window} days, once {least} are known"
    return [
        ("record MRR", f"{record} or more above the last one told, {history}, then silent for {rest} days"),
        ("best day", f"most new customers ever, {thresholds.best_day_minimum} or more, {history}"),
        ("days in a row with sales", ", ".join(map(str, thresholds.streak_days))),
        ("unusual cancellations", f"{thresholds.cancellations_minimum} or more in a day, above {usual}"),
    ]


def _calendar(settings: Settings) -> list[Line]:
    options = settings.thresholds.calendar
    where = f"{options.country} {options.subdivision}".strip()
    birthday = f"{options.company_name}, {options.company_birthday}" if options.company_birthday else "not given"
    own = ", ".join(f"{day} {text}" for day, text in sorted(options.own_dates.items()))
    renamed = ", ".join(f"{old} -> {new}" for old, new in options.renamed.items())
    said = ", ".join(f"{name}: {text}" for name, text in options.texts.items())
    return [
        ("holidays", f"{where}, named in {options.language}; Black Friday, Cyber Monday"),
        ("not told", ", ".join(sorted(options.switched_off)) or "none"),
        ("by another name", renamed or "none"),
        ("in other words", said or "none"),
        ("own dates", own or "none"),
        ("anniversary", birthday),
        ("week and month", "one line about the one that ended, on Mondays and on the 1st"),
    ]


def _licenses(settings: Settings) -> list[Line]:
    rates = ", ".join(f"{currency} {rate}" for currency, rate in sorted(settings.rates.items()))
    thresholds = settings.thresholds
    minutes, window = thresholds.plan_change_minutes, thresholds.payment_window_hours
    return [
        ("business day", f"of {settings.zone}"),
        ("plans of one price", " < ".join(settings.plan_order)),
        ("payments", "from the collection payments; while it is empty, a licence's start and renewal stand for one"),
        ("one payment", f"what is told of a licence by different sides within {window} hours"),
        ("an old payment", f"made more than {thresholds.payment_news_days} days before its document came: not told"),
        ("one plan change", f"a customer's only licence ends, another begins within {minutes} minutes (0: never)"),
        ("rates to EUR", rates or "none: licences in other currencies are held"),
        ("entered by hand", f"metadata.source {settings.manual_source!r} or the customer {settings.manual_email}"),
    ]


def _note(settings: Settings) -> list[Line]:
    ranked = sorted(settings.styles.items(), key=lambda item: item[1].rank)
    return [(kind.value, f"{style.emoji} {style.many}") for kind, style in ranked]


def _words(settings: Settings) -> list[Line]:
    texts = [(key, repr(text)) for key, text in settings.texts.items() if text != TEXTS.get(key)]
    emojis = [(name, emoji) for name, emoji in settings.emojis.items() if emoji != EMOJIS.get(name)]
    return [*texts, *emojis] or [("all", "as in the house")]
