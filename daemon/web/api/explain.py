"""Explanation of a number: the movements that it is made of, and whether it is the stored one."""

from collections.abc import Mapping
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from daemon.diagnostics.explanation import NOW, Asked, NotExplained, NumberSource, Obstacle
from daemon.mongo.client import bounded
from daemon.web.api import schemas
from daemon.web.api.schemas import DATABASE_SECONDS, PREFIX, ErrorResponse, SuccessResponse
from daemon.web.context import WebContext
from daemon.web.errors import RequestRejected
from daemon.web.json_body import StrictRoute
from daemon.web.query_parameters import reject_unknown
from rules.model.changes import DocId
from rules.model.ledger import MovementKind, Reason
from rules.rows.accounts import Account, AccountLine, Unit

MAX_SKIP = 10_000_000
WHEN = rf"^({NOW}|[0-9]{{4}}-[0-9]{{2}}(-[0-9]{{2}})?)$"


class ExplainedLine(BaseModel):
    """A movement and the amount that it adds, in the unit of its account."""

    at: datetime
    day: date
    kind: MovementKind
    reason: Reason
    customer_id: str | None
    customer_name: str | None
    license_id: str | None
    plan_name: str | None
    amount: int


class RestOfDayItem(BaseModel):
    """Movements of one day that are not listed; `skip` of that day come before them."""

    day: date
    skip: int
    movements: int
    amount: int


class AccountItem(BaseModel):
    """A sum: `start` + `skipped` + the listed movements + the rest = `total`, in cents of euros or a count."""

    name: str
    unit: Unit
    first: date = Field(description="First day whose movements count.")
    start: int | None = Field(description="The balance before `first`; null for a sum that starts at zero.")
    skipped: int = Field(description="Sum of the movements left out by `skip`.")
    movements: list[ExplainedLine]
    rest: list[RestOfDayItem]
    total: int


class Fraction(BaseModel):
    """A rate as numerator and denominator, in the units of its accounts."""

    part: int
    whole: int


class ExplainResponse(SuccessResponse):
    number: str
    when: str
    line: int | None = Field(description="The last ledger line that counts; null for a closed period.")
    field: str = Field(description="The field of the row, or the part of one.")
    formula: str | None
    value: float | int | None = Field(description="What the movements add up to; euros, a count or a share.")
    computed: float | int | None = Field(description="The number computed from the sums of the ledger.")
    stored: float | int | None = Field(
        description="The number in the table; for an open period or a line, the number made of the running totals."
    )
    adds_up: bool = Field(description="Whether the three numbers are equal.")
    first_reported: float | int | None = Field(description="Of an amended row, the number before its first amendment.")
    fraction: Fraction | None
    unknown: bool = Field(description="Whether the rate needs days before the ledger began.")
    accounts: list[AccountItem]


ERRORS: dict[int | str, dict[str, Any]] = {
    404: {
        "model": ErrorResponse,
        "description": "There is no such number, day, month or ledger line, or no movements.",
    },
    422: {"model": ErrorResponse, "description": "A parameter is invalid."},
    503: {"model": ErrorResponse, "description": "A large ledger is still being summed by day; try again in a minute."},
}


def router(context: WebContext) -> APIRouter:
    dependencies = [Depends(reject_unknown)]
    routes = APIRouter(prefix=PREFIX, tags=["ledger"], route_class=StrictRoute, dependencies=dependencies)

    @routes.get("/explain", responses=ERRORS)
    def explain(
        number: Annotated[str, Query(max_length=200, description="`mrr`, `persi`, `movimenti.nuovo`, `piano.pro`, …")],
        when: Annotated[str, Query(pattern=WHEN, description="`adesso`, a day or a month.")] = NOW,
        line: Annotated[int | None, Query(ge=1, le=2**53, description="The last ledger line that counts.")] = None,
        skip: Annotated[int, Query(ge=0, le=MAX_SKIP, description="Movements to leave out.")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> ExplainResponse:
        """Explain a number: start, movements and sum, and whether it equals the stored number."""
        explanation = context.explanation(limit)
        try:
            with bounded(DATABASE_SECONDS):
                asked = explanation.ask(when, line)
                source = explanation.number(number, asked, skip)
                listed = [line.movement for account in source.question.accounts for line in account.lines]
                names, plans = explanation.customer_names(listed), explanation.plan_names(asked.period)
        except NotExplained as problem:
            is_summing = problem.obstacle is Obstacle.SUMMING
            status = HTTPStatus.SERVICE_UNAVAILABLE if is_summing else HTTPStatus.NOT_FOUND
            raise RequestRejected(status, problem.obstacle.value) from None
        return _response(number, asked, source, [_account(a, names, plans) for a in source.question.accounts])

    return routes


def _response(number: str, asked: Asked, source: NumberSource, accounts: list[AccountItem]) -> ExplainResponse:
    fraction = source.question.fraction
    return ExplainResponse(
        number=number,
        when=str(asked.period),
        line=asked.line,
        field=source.question.field,
        formula=source.question.formula or None,
        value=None if source.unknown else source.question.answer,
        computed=source.computed,
        stored=schemas.number(source.stored),
        adds_up=source.adds_up and source.matches,
        first_reported=schemas.number(source.reported),
        fraction=Fraction(part=fraction[0], whole=fraction[1]) if fraction and not source.unknown else None,
        unknown=source.unknown,
        accounts=[] if source.unknown else accounts,
    )


def _account(account: Account, names: Mapping[DocId, str], plans: Mapping[DocId, str]) -> AccountItem:
    return AccountItem(
        name=account.name,
        unit=account.unit,
        first=account.first,
        start=None if account.carried is None else account.before,
        skipped=account.skipped,
        movements=[_line(line, names, plans) for line in account.lines],
        rest=[
            RestOfDayItem(day=one.day, skip=one.skip, movements=one.number, amount=one.amount)
            for one in account.rest.values()
        ],
        total=account.total,
    )


def _line(line: AccountLine, names: Mapping[DocId, str], plans: Mapping[DocId, str]) -> ExplainedLine:
    movement = line.movement
    return ExplainedLine(
        at=movement.at,
        day=line.day,
        kind=movement.kind,
        reason=movement.reason,
        customer_id=schemas.identity(movement.customer_id),
        customer_name=names.get(movement.customer_id),
        license_id=schemas.identity(movement.license_id),
        plan_name=plans.get(movement.plan_id),
        amount=line.amount,
    )
