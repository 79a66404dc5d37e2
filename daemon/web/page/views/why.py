"""Perché: the movements that a number is made of, and the events behind a fact of a note."""

from contextlib import suppress
from datetime import date
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response

from daemon.diagnostics.explanation import Asked, Explanation, NotExplained, Obstacle
from daemon.diagnostics.note_explanation import NoteExplanation
from daemon.store.ledger import reader as ledger
from daemon.web.api.explain import MAX_SKIP
from daemon.web.api.schemas import BusinessDay
from daemon.web.context import WebContext
from daemon.web.page import addresses, texts, why_texts
from daemon.web.page.parts import facts as fact_parts
from daemon.web.page.parts import letter, plan_titles
from daemon.web.page.parts.why import WhyView, field_name
from daemon.web.page.rendering import Renderer, View
from daemon.web.page.snapshot import Snapshot
from rules import business_days
from rules.rows import number_names
from rules.rows.periods import Period, PeriodKind
from rules.settings import italian

SHOWN = 50

When = Annotated[str, Path(max_length=10)]
Number = Annotated[str, Path(max_length=200)]
Line = Annotated[int | None, Query(alias="riga", ge=1, le=2**53)]
Skip = Annotated[int, Query(alias="salta", ge=0, le=MAX_SKIP)]

OBSTACLES = {
    Obstacle.UNKNOWN_NUMBER: why_texts.UNKNOWN,
    Obstacle.INVALID_TIME: why_texts.UNKNOWN,
    Obstacle.UNKNOWN_LINE: why_texts.UNKNOWN,
    Obstacle.FUTURE: why_texts.FUTURE,
    Obstacle.RECONSTRUCTED: why_texts.RECONSTRUCTED,
    Obstacle.NO_LEDGER: why_texts.NO_LEDGER,
    Obstacle.SUMMING: texts.COUNTING,
}


STATUSES = {
    Obstacle.INVALID_TIME: HTTPStatus.UNPROCESSABLE_ENTITY,
    Obstacle.SUMMING: HTTPStatus.SERVICE_UNAVAILABLE,
}


def router(context: WebContext) -> APIRouter:
    renderer, routes = Renderer(context), APIRouter()

    @routes.get(f"{addresses.WHY}/{{day}}/nota/{{part:path}}")
    def show_fact(day: BusinessDay, part: Annotated[str, Path(max_length=200)]) -> Response:
        """Show the events of one fact of a day's note."""
        with renderer.snapshot() as snapshot:
            explanation = NoteExplanation(context.database, snapshot.settings, SHOWN)
            sources = explanation.part_sources(part, day)
            shown = fact_parts.shown(sources, snapshot.settings)
            status = HTTPStatus.OK if shown else HTTPStatus.NOT_FOUND
            return renderer.page("why_note.html", "", snapshot, {"day": day, "sources": shown}, status)

    @routes.get(f"{addresses.WHY}/{{when}}/{{number:path}}")
    def show_number(when: When, number: Number, line: Line = None, skip: Skip = 0) -> Response:
        """Show where a number comes from."""
        explanation = context.explanation(SHOWN)
        with renderer.snapshot() as snapshot:
            try:
                asked = explanation.ask(when, line)
                view = _number(explanation, number, asked, skip, snapshot)
                view["proof"] = letter.proof(context.health, snapshot) if asked.is_live else ""
            except NotExplained as problem:
                status = STATUSES.get(problem.obstacle, HTTPStatus.NOT_FOUND)
                return renderer.page("why_not.html", "", snapshot, _obstacle(when, number, problem, snapshot), status)
            return renderer.page("why.html", "", snapshot, view)

    return routes


def _obstacle(when: str, number: str, problem: NotExplained, snapshot: Snapshot) -> View:
    first, text = problem.first_day, OBSTACLES.get(problem.obstacle, "")
    if not text and first is not None:
        text = why_texts.TOO_EARLY.format(dal_day=italian.with_article(italian.DAL, first, snapshot.today))
    field = number_names.field_of(number)
    return {
        "text": text,
        "name": field_name(field) if field else "",
        "day": _day_of(when),
        "is_temporary": problem.obstacle is Obstacle.SUMMING,
    }


def _day_of(when: str) -> date | None:
    with suppress(ValueError):
        return business_days.parsed(when)
    return None


def _number(explanation: Explanation, number: str, asked: Asked, skip: int, snapshot: Snapshot) -> dict[str, object]:
    source = explanation.number(number, asked, skip)
    movements = [line.movement for account in source.question.accounts for line in account.lines]
    plans = explanation.mirror.plans()
    names = explanation.customer_names(movements), plan_titles.by_id(plans, snapshot.settings)
    titles = plan_titles.by_key(plans, snapshot.settings)
    first_day = ledger.first_day(snapshot.database) or asked.period.first
    shown = WhyView(source, asked, names, snapshot.settings.zone, first_day, titles)
    field = source.question.field
    return {
        "name": field_name(field, titles),
        "value": shown.value(source.question.answer if not source.unknown else None),
        "fraction": shown.fraction(),
        "reason": shown.reason(),
        "formula": why_texts.FORMULAS.get(field, ""),
        "sum_of": why_texts.SUMS.get(field, ""),
        "period": _period_text(asked.period, asked, snapshot),
        "accounts": shown.accounts(),
        "verdict": shown.verdict(),
        "reported": shown.value(source.reported) if italian.number(source.reported) is not None else "",
        "day": asked.period.first if asked.period.kind is PeriodKind.DAILY else None,
        "api": _api(number, asked),
    }


def _period_text(period: Period, asked: Asked, snapshot: Snapshot) -> str:
    """Return the day or the month, and for a number at a ledger line the time of the totals."""
    is_month = period.kind is PeriodKind.MONTHLY
    day = texts.month(period.first) if is_month else texts.long_day(period.first)
    if asked.line is None:
        return day
    return why_texts.AT_LINE.format(moment=day, line=italian.integer(asked.line))


def _api(number: str, asked: Asked) -> str:
    query = {"number": number, "when": str(asked.period), **({"line": asked.line} if asked.line else {})}
    return f"/api/explain?{urlencode(query)}"
