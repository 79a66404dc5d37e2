"""Customers: the list, one customer's history, and what to do today. No e-mail addresses, no license keys."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from daemon.diagnostics.customers import CustomerAccount, CustomerLine, Customers, LicenseLine, Standing
from daemon.mongo.client import bounded, translated
from daemon.mongo.cluster_time import cluster_datetime, newest
from daemon.mongo.typed_ids import MAX_LENGTH, parsed, typed_id
from daemon.store.customers.customer_list import CustomerFilter, CustomerQuery, Order
from daemon.store.customers.customer_search import TooManyFound
from daemon.web.api.event_items import EventItem, event_item
from daemon.web.api.schemas import DATABASE_SECONDS, PREFIX, ErrorResponse, PagedResponse, SuccessResponse
from daemon.web.context import WebContext
from daemon.web.errors import RequestRejected
from daemon.web.json_body import StrictRoute
from rules import business_days
from rules.insights.customer_history import Step
from rules.insights.todo import TodoGroup, TodoKind
from rules.model.changes import DocId
from rules.model.ledger import MovementKind, Reason

MAX_CUSTOMERS = 500

EPOCH, MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
HistoryCursor = Annotated[int, Field(ge=0, lt=(datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND)]
"""The instant before which the steps of a history are wanted, in milliseconds since 1970."""

Id = Annotated[str, Field(examples=["o-66c4f0c0ffee65f0c0ffee65"], description="The id with its type.")]


class CustomerItem(BaseModel):
    """Amounts are in euros, times in UTC."""

    id: Id
    name: str | None = Field(description="Null if it is unknown or the customer was forgotten.")
    forgotten: bool
    state: Standing
    plans: list[str] = Field(description="Plans of the active licenses.")
    mrr: float
    registered_at: datetime | None
    paid: float | None = Field(description="Completed payments less refunds; null in a shop without payments.")
    expires_at: datetime | None = Field(description="The next end of an active license.")


class CustomersResponse(PagedResponse):
    customers: list[CustomerItem]
    order: Order = Field(description="The order of the list; by name for the MRR of a plan with many licenses.")
    mrr: float = Field(description="The MRR of all customers, not only of those listed.")


class LicenseItem(BaseModel):
    id: Id
    plan: str | None
    status: str
    active: bool
    mrr: float
    expires_at: datetime | None


class StepItem(BaseModel):
    """A movement, an event, or both: the MRR that it adds, and the customer's MRR after it."""

    at: datetime
    line: int | None = Field(description="The number of the ledger line.")
    kind: MovementKind | None
    reason: Reason | None
    event: EventItem | None
    mrr: float
    mrr_after: float


class CustomerResponse(SuccessResponse):
    customer: CustomerItem
    licenses: list[LicenseItem]
    steps: list[StepItem] = Field(description="Newest first; `mrr_before` and the steps add up to the customer's MRR.")
    mrr_before: float
    next_cursor: int | None = Field(description="The `cursor` of the older steps; null if there are none.")


class TodoEntry(BaseModel):
    customer: CustomerItem | None
    at: datetime = Field(description="When it failed, ends, was lost or registered.")
    amount: float | None
    plan: str | None


class TodoGroupItem(BaseModel):
    kind: TodoKind
    total: int
    has_more: bool = Field(description="Whether there are more than `total`, of which only 200 were read.")
    habitual: int = Field(description="Licenses that are not listed because they were renewed at least twice.")
    unread: int = Field(description="Licenses of `total` of which it is not known whether they are habitual.")
    amount: float | None = Field(description="Euros of all that are not habitual; null if unknown.")
    items: list[TodoEntry]


class TodoResponse(SuccessResponse):
    groups: list[TodoGroupItem]


NOT_FOUND = {404: {"model": ErrorResponse, "description": "There is no such customer, plan or cursor."}}


def router(context: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["customers"], route_class=StrictRoute)

    @routes.get("/customers", responses=NOT_FOUND)  # type: ignore[arg-type]  # FastAPI's invariant type
    def list_customers(
        search: Annotated[str, Query(max_length=200, description="A part of the name or company.")] = "",
        state: CustomerFilter = CustomerFilter.ALL,
        plan: Annotated[str, Query(max_length=MAX_LENGTH, description="The id of a plan with its type.")] = "",
        order: Order = Order.MRR,
        limit: Annotated[int, Query(ge=1, le=MAX_CUSTOMERS)] = 50,
        cursor: Annotated[
            str, Query(max_length=MAX_LENGTH, description="The `next_cursor` of the previous response.")
        ] = "",
    ) -> CustomersResponse:
        """List customers with what they pay."""
        query = CustomerQuery(order, state, _parsed(plan, "plan"), search.strip(), _parsed(cursor, "cursor"))
        with _customers(context) as found:
            try:
                page, mrr_cents = found.page(query, limit), found.mrr_cents()
            except TooManyFound as problem:
                raise RequestRejected(HTTPStatus.UNPROCESSABLE_ENTITY, f"search: {problem}; write more") from None
        last = typed_id(page.lines[-1].id) if page.has_more else None
        customers = list(map(customer_item, page.lines))
        return CustomersResponse(customers=customers, order=page.order, mrr=mrr_cents / 100, next_cursor=last)

    @routes.get("/customers/{customer_id}", responses=NOT_FOUND)  # type: ignore[arg-type]  # FastAPI's invariant type
    def get_customer(
        customer_id: Annotated[str, Path(max_length=MAX_LENGTH, examples=["o-66c4f0c0ffee65f0c0ffee65"])],
        cursor: Annotated[HistoryCursor | None, Query(description="The `next_cursor` of the newer steps.")] = None,
    ) -> CustomerResponse:
        """Get a customer's licenses and about 200 steps of the history."""
        known = parsed(customer_id)
        with _customers(context) as found:
            account = found.account(known, instant(cursor)) if known is not None else None
        if account is None:
            raise RequestRejected(HTTPStatus.NOT_FOUND, "there is no such customer")
        return customer_response(account)

    @routes.get("/todo")
    def get_todo() -> TodoResponse:
        """List what to do today: failed payments, licenses that end, lost customers, customers without a license."""
        with _customers(context) as found:
            groups = found.todo(business_days.business_day(found.now, found.settings.zone))
            lines = found.of_items(groups)
            return TodoResponse(groups=[_group(group, lines, found) for group in groups])

    return routes


@contextmanager
def _customers(context: WebContext) -> Iterator[Customers]:
    database = context.database
    with bounded(DATABASE_SECONDS), translated(), database.client.start_session(snapshot=True) as session:
        yield Customers(database, session, context.config().settings(), cluster_datetime(newest(database)))


def _parsed(text: str, name: str) -> DocId | None:
    known = parsed(text) if text else None
    if text and known is None:
        raise RequestRejected(HTTPStatus.NOT_FOUND, f"{name}: no such id; use one from a response")
    return known


def customer_item(line: CustomerLine) -> CustomerItem:
    return CustomerItem(
        id=typed_id(line.id),
        name=line.name or None,
        forgotten=line.is_forgotten,
        state=line.standing,
        plans=list(line.plans),
        mrr=line.mrr_cents / 100,
        registered_at=line.registered_at,
        paid=None if line.paid_cents is None else line.paid_cents / 100,
        expires_at=line.expires_at,
    )


def customer_response(account: CustomerAccount) -> CustomerResponse:
    return CustomerResponse(
        customer=customer_item(account.line),
        licenses=list(map(_license, account.licenses)),
        steps=list(map(_step, account.history.steps)),
        mrr_before=account.history.before / 100,
        next_cursor=history_cursor(account.history.older),
    )


def history_cursor(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // MILLISECOND


def instant(cursor: int | None) -> datetime | None:
    return None if cursor is None else EPOCH + cursor * MILLISECOND


def _license(line: LicenseLine) -> LicenseItem:
    return LicenseItem(
        id=typed_id(line.id),
        plan=line.plan or None,
        status=line.status,
        active=line.is_active,
        mrr=line.mrr_cents / 100,
        expires_at=line.expires_at,
    )


def _step(step: Step) -> StepItem:
    return StepItem(
        at=step.at,
        line=step.line.number if step.line else None,
        kind=step.line.movement.kind if step.line else None,
        reason=step.line.movement.reason if step.line else None,
        event=event_item(step.event) if step.event is not None else None,
        mrr=step.mrr_cents / 100,
        mrr_after=step.mrr_after / 100,
    )


def _group(group: TodoGroup, lines: Mapping[DocId, CustomerLine], found: Customers) -> TodoGroupItem:
    items = [
        TodoEntry(
            customer=customer_item(lines[item.customer_id]) if item.customer_id in lines else None,
            at=item.at,
            amount=None if item.cents is None else item.cents / 100,
            plan=found.plan_title(item.plan_id) or None,
        )
        for item in group.items
    ]
    amount = None if group.cents is None else group.cents / 100
    return TodoGroupItem(
        kind=group.kind,
        total=group.total,
        has_more=group.has_more,
        habitual=group.habitual,
        unread=group.unread,
        amount=amount,
        items=items,
    )
