"""Perché: the movements that a number is made of, and the events behind a fact of a note."""

from contextlib import suppress
from datetime import date
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from daemon.diagnostics.explanation import Asked, Explanation, NotExplained, Obstacle
from daemon.diagnostics.note_explanation import NoteExplanation
from daemon.store.ledger import reader as ledger
from daemon.web.api.explain import MAX_SKIP
from daemon.web.api.schemas import BusinessDay
from daemon.web.context import WebContext
from daemon.web.download import Download
from daemon.web.errors import RequestRejected
from daemon.web.page import addresses, texts, why_texts
from daemon.web.page.environment import page_url
from daemon.web.page.parts import facts as fact_parts
from daemon.web.page.parts import letter, plan_titles, why_file
from daemon.web.page.parts.why import WhyView, field_name
from daemon.web.page.rendering import Renderer, View
from daemon.web.page.snapshot import Snapshot
from rules import business_days
from rules.rows import number_names
from rules.rows.periods import Period, PeriodKind
from rules.settings import italian

SHOWN = 50
DOWNLOADED = 1000
"""Movements listed in the file; the others are one line per day, as on the page."""
DOWNLOAD = "/analytics/scarica/perche.csv"

When = Annotated[str, Path(max_length=10)]
Number = Annotated[str, Path(max_length=200)]
OfWhen = Annotated[str, Query(alias="quando", max_length=10)]
OfNumber = Annotated[str, Query(alias="numero", max_length=200)]
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

    @routes.get(DOWNLOAD, response_class=StreamingResponse)
    def download(when: OfWhen, number: OfNumber, line: Line = None, skip: Skip = 0) -> Download:
        """Return the rows of the page as a file, with more movements."""
        from daemon.export import plain  # noqa: PLC0415 - loads its libraries only for an export

        explanation = context.explanation(DOWNLOADED)
        with renderer.snapshot() as snapshot:
            try:
                asked = explanation.ask(when, line)
                found = list(why_file.cells(_explained(explanation, number, asked, skip, snapshot)))
            except NotExplained as problem:
                status = STATUSES.get(problem.obstacle, HTTPStatus.NOT_FOUND)
                raise RequestRejected(status, problem.obstacle.value) from None
        chunks = plain.chunks(why_file.COLUMNS, found, plain.STYLES["excel-it"], snapshot.settings.zone)
        return Download(chunks, f"chatello-perche-{asked.period}.csv", "text/csv; charset=utf-8")

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


def _explained(explanation: Explanation, number: str, asked: Asked, skip: int, snapshot: Snapshot) -> WhyView:
    source = explanation.number(number, asked, skip)
    movements = [line.movement for account in source.question.accounts for line in account.lines]
    plans = explanation.mirror.plans()
    names = explanation.customer_names(movements), plan_titles.by_id(plans, snapshot.settings)
    titles = plan_titles.by_key(plans, snapshot.settings)
    first_day = ledger.first_day(snapshot.database) or asked.period.first
    return WhyView(source, asked, names, snapshot.settings.zone, first_day, titles)


def _number(explanation: Explanation, number: str, asked: Asked, skip: int, snapshot: Snapshot) -> dict[str, object]:
    shown = _explained(explanation, number, asked, skip, snapshot)
    source, field = shown.source, shown.source.question.field
    return {
        "name": field_name(field, shown.titles),
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
        "download": page_url(DOWNLOAD, quando=str(asked.period), numero=number, riga=asked.line, salta=skip or None),
    }


def _period_text(period: Period, asked: Asked, snapshot: Snapshot) -> str:
    """Return the day or the month, and for a number at a ledger line the time of the numbers."""
    is_month = period.kind is PeriodKind.MONTHLY
    day = texts.month(period.first) if is_month else texts.long_day(period.first)
    if asked.line is None:
        return day
    at = asked.at.astimezone(snapshot.settings.zone) if asked.at is not None else None
    of_day = "" if at is None or at.date() == period.first else f" ({at:%d/%m/%Y})"
    moment = day if at is None else f"{day} · {texts.AS_OF.format(time=f'{at:%H:%M:%S}')}{of_day}"
    return why_texts.AT_LINE.format(moment=moment, line=italian.integer(asked.line))


def _api(number: str, asked: Asked) -> str:
    query = {"number": number, "when": str(asked.period), **({"line": asked.line} if asked.line else {})}
    return f"/api/explain?{urlencode(query)}"
