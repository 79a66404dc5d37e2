"""Description of the active rules in English with their thresholds, for `rules explain`."""

from collections.abc import Iterator, Sequence

from rules.settings.catalog import EMOJIS, TEXTS, euro
from rules.settings.goals import Goal, GoalMetric
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

Line = tuple[str, str]
"""The name of a rule or option, and its description."""


def describe(settings: Settings) -> Iterator[tuple[str, list[Line]]]:
    """Yield sections: a title and its lines."""
    thresholds = settings.thresholds
    yield "Milestones: each level once; a jump over several levels emits the highest", _milestones(thresholds)
    yield "Goals: each once", _goals(settings.goals)
    yield f"Growth in {thresholds.growth_days} days, at the end of a day", _growth(thresholds)
    yield "Trends, at the end of a day", _trends(thresholds)
    yield "Calendar, at the start of a day", _calendar(settings)
    yield (
        "Custom rules",
        [
            (rule.name, f"{rule.collection} matching {dict(rule.match)}: {rule.event_type}, {rule.text!r}")
            for rule in settings.custom
        ]
        or [("none", "see docs/configuration.md")],
    )
    yield "Licenses and plans", _licenses(settings)
    yield (
        f"Note: at most {settings.note_length} characters, {settings.note_names} names beside a count",
        _note(settings),
    )
    yield "Configured texts and emoji", _texts(settings)


def _milestones(thresholds: Thresholds) -> list[Line]:
    return [
        ("customers", _levels(thresholds.customers)),
        ("active licenses", _levels(thresholds.licenses)),
        ("MRR in euros", _levels(thresholds.mrr_euros)),
        ("API calls per day", _levels(thresholds.api_calls)),
        ("limited plans", "at every sale of a lifetime plan with a limit, with the number that remains"),
    ]


def _goals(goals: Sequence[Goal]) -> list[Line]:
    return [
        (goal.metric.value, f"{'€' if goal.metric is GoalMetric.MRR else ''}{goal.value:,} by {goal.by}")
        for goal in goals
    ] or [("none", "see docs/configuration.md")]


def _levels(levels: Sequence[int]) -> str:
    return f"{', '.join(f'{level:,}' for level in levels)}, then 1, 2.5 and 5 times each power of ten"


def _growth(thresholds: Thresholds) -> list[Line]:
    cooldown = f"then no event for {thresholds.growth_cooldown_days} days"
    return [
        ("MRR", f"{euro(thresholds.growth_mrr_cents)} or more, {cooldown}"),
        ("customers", f"{thresholds.growth_customers} or more, {cooldown}"),
        ("paying customers", f"{thresholds.growth_paying} or more, {cooldown}"),
    ]


def _trends(thresholds: Thresholds) -> list[Line]:
    history = f"after {thresholds.trend_history_days} days of history"
    record, cooldown = euro(thresholds.record_mrr_cents), thresholds.record_cooldown_days
    window, least = thresholds.cancellations_window_days, thresholds.cancellations_history_days
    bound = f"the median + {thresholds.deviations:g} robust standard deviations of the last {window} days"
    return [
        ("record MRR", f"{record} or more above the last record, {history}, then no event for {cooldown} days"),
        ("best day", f"most new customers so far, {thresholds.best_day_minimum} or more, {history}"),
        ("consecutive sales days", ", ".join(map(str, thresholds.streak_days))),
        (
            "unusual cancellations",
            f"{thresholds.cancellations_minimum} or more in a day, above {bound}, after {least} days of history",
        ),
    ]


def _calendar(settings: Settings) -> list[Line]:
    options = settings.thresholds.calendar
    where = f"{options.country} {options.subdivision}".strip()
    birthday = f"{options.company_name}, {options.company_birthday}" if options.company_birthday else "not configured"
    own = ", ".join(f"{day} {text}" for day, text in sorted(options.own_dates.items()))
    renamed = ", ".join(f"{old} -> {new}" for old, new in options.renamed.items())
    own_texts = ", ".join(f"{name}: {text}" for name, text in options.texts.items())
    return [
        ("holidays", f"{where}, names in {options.language}; Black Friday, Cyber Monday"),
        ("switched off", ", ".join(sorted(options.switched_off)) or "none"),
        ("renamed", renamed or "none"),
        ("configured texts", own_texts or "none"),
        ("own dates", own or "none"),
        ("anniversary", birthday),
        ("week and month", "one-line summary of the last one, on Mondays and on the 1st"),
    ]


def _licenses(settings: Settings) -> list[Line]:
    rates = ", ".join(f"{currency} {rate}" for currency, rate in sorted(settings.rates.items()))
    thresholds = settings.thresholds
    minutes, window = thresholds.plan_change_minutes, thresholds.payment_window_hours
    return [
        ("business day", f"in the time zone {settings.zone}"),
        (
            "names of plans",
            ", ".join(f"{name}: {title}" for name, title in settings.plan_names.items()) or "from titles",
        ),
        ("plans of equal price", " < ".join(settings.plan_order)),
        ("payments", "from the collection payments; while it is empty, from the start and renewal of licenses"),
        ("duplicate payments", f"from different sources for one license within {window} hours count as one"),
        ("external events", f"of one license and type within {thresholds.external_window_minutes} minutes replace own"),
        (
            "old payments",
            f"no event if made more than {thresholds.payment_news_days} days before the document was received",
        ),
        ("plan change", f"a customer's only license ends and another begins within {minutes} minutes (0: never)"),
        ("rates to EUR", rates or "none: licenses in other currencies are held"),
        ("manual licenses", f"metadata.source {settings.manual_source!r} or customer {settings.manual_email}"),
    ]


def _note(settings: Settings) -> list[Line]:
    ranked = sorted(settings.styles.items(), key=lambda item: item[1].rank)
    return [(kind.value, f"{style.emoji} {style.many}") for kind, style in ranked]


def _texts(settings: Settings) -> list[Line]:
    texts = [(key, repr(text)) for key, text in settings.texts.items() if text != TEXTS.get(key)]
    emojis = [(name, emoji) for name, emoji in settings.emojis.items() if emoji != EMOJIS.get(name)]
    return [*texts, *emojis] or [("none", "all defaults")]
