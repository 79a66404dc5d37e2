"""Goals as the page shows them: a line in the chart, and a sentence on the pace."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from daemon.web.page import trend_texts
from daemon.web.page.charts.lines import Goal
from daemon.web.page.charts.metrics import BY_GOAL, Metric
from rules.insights.goals import LEAST_DAYS, SPAN_DAYS, Pace, PaceState, Progress, pace
from rules.settings import italian


class GoalText(NamedTuple):
    """A goal in words; `why` states the numbers that the pace follows from."""

    name: str
    progress: str
    left: str
    pace: str
    why: str


def goal_lines(found: Sequence[Progress], metric: Metric) -> list[Goal]:
    """Return the lines of the goals of a metric whose day has not passed."""
    return [
        Goal(one.goal.amount / metric.unit, trend_texts.GOAL_LINE.format(target=metric.format_tick(one.goal.value)))
        for one in found
        if one.goal.metric is metric.goal and one.goal.by >= one.today
    ]


def goal_text(found: Progress) -> GoalText:
    metric, forecast = BY_GOAL[found.goal.metric], pace(found)
    left = (found.goal.by - found.today).days
    is_open = forecast.state not in (PaceState.REACHED, PaceState.MISSED)
    gains = ", ".join(map(metric.format_change, found.gains))
    has_pace = is_open and len(found.gains) * SPAN_DAYS >= LEAST_DAYS
    return GoalText(
        name=trend_texts.GOAL_NAME.format(
            metric=metric.name, target=_target(found), il_day=_the(found.goal.by, found.today)
        ),
        progress=_filled(trend_texts.GOAL_PROGRESS, found),
        left=_left(left) if is_open and left >= 0 else "",
        pace=_pace_text(found, forecast),
        why=trend_texts.GOAL_PACE_WHY.format(gains=gains) if has_pace else "",
    )


def _pace_text(found: Progress, forecast: Pace) -> str:
    if forecast.state is PaceState.REACHED:
        return _reached_text(found)
    is_too_far = forecast.state is PaceState.BEHIND and forecast.soonest is None
    return _filled(trend_texts.GOAL_PACE["too_far" if is_too_far else forecast.state], found, _when(forecast, found))


def _reached_text(found: Progress) -> str:
    if found.reached is None:
        return trend_texts.GOAL_REACHED
    early, il_reached = (found.goal.by - found.reached).days, _the(found.reached, found.today)
    if early > 0:
        return trend_texts.GOAL_REACHED_EARLY[early > 1].format(il_reached=il_reached, count=italian.integer(early))
    form = trend_texts.GOAL_REACHED_IN_TIME if early == 0 else trend_texts.GOAL_REACHED_LATE
    return form.format(il_reached=il_reached)


def _filled(form: str, found: Progress, when: str = "") -> str:
    metric = BY_GOAL[found.goal.metric]
    return form.format(
        value=metric.format_amount(found.amount),
        target=_target(found),
        percent=f"{100 * found.amount // found.goal.amount}%",
        il_reached=_the(found.reached, found.today) if found.reached else "",
        il_by=_the(found.goal.by, found.today),
        needed=metric.format_change(found.needed or 0),
        change=metric.format_change(sum(found.gains)),
        days=len(found.gains) * SPAN_DAYS,
        count=found.known_days,
        least=LEAST_DAYS,
        when=when,
    )


def _when(forecast: Pace, found: Progress) -> str:
    """Return the range of a forecast: one day, "tra … e …", or "non prima …"."""
    if forecast.soonest is None:
        return ""
    if forecast.latest is None:
        del_soonest = italian.with_article(italian.DEL, forecast.soonest, found.today)
        return trend_texts.NOT_BEFORE.format(del_soonest=del_soonest)
    if forecast.latest == forecast.soonest:
        return _the(forecast.soonest, found.today)
    ends = (_the(day, found.today) for day in (forecast.soonest, forecast.latest))
    return trend_texts.BETWEEN.format(**dict(zip(("il_soonest", "il_latest"), ends, strict=True)))


def _target(found: Progress) -> str:
    return BY_GOAL[found.goal.metric].format_amount(found.goal.amount)


def _the(day: date, today: date) -> str:
    return italian.with_article(italian.IL, day, today)


def _left(days: int) -> str:
    none, one, many = trend_texts.GOAL_LEFT
    return none if days == 0 else italian.plural((one, many), days)
