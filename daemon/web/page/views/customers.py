"""Clienti: the list with its sum, the list as a file, and one customer's history."""

from collections.abc import Generator
from contextlib import suppress
from datetime import tzinfo
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from daemon.diagnostics.customers import CustomerLine, Customers, CustomersPage
from daemon.export.cells import Cell, Column, Kind
from daemon.mongo.client import bounded
from daemon.mongo.id_text import shown_id
from daemon.mongo.typed_ids import MAX_LENGTH, parsed, typed_id
from daemon.store.customers import customer_details, customer_records
from daemon.store.customers.customer_list import CustomerFilter, CustomerQuery, Order
from daemon.store.customers.customer_search import TooManyFound
from daemon.store.customers.owned import FEW_LICENSES
from daemon.store.reference_lookup import AmbiguousId, UnknownId, reference_id
from daemon.web.api.customers import HistoryCursor, instant
from daemon.web.context import WebContext
from daemon.web.download import Download
from daemon.web.errors import RequestRejected
from daemon.web.page import addresses, customer_texts
from daemon.web.page.charts.metrics import METRICS
from daemon.web.page.environment import page_url
from daemon.web.page.parts import customers as parts
from daemon.web.page.rendering import Renderer, View
from daemon.web.page.snapshot import Snapshot, open_snapshot
from rules.model.changes import DocId
from rules.settings import italian
from rules.text import MAX_NAME, one_line

SHOWN = 50
FIRST_BYTES_SECONDS = 30.0


class State(StrEnum):
    """The filters as the address names them."""

    ALL = ""
    PAYING = "paganti"
    LIFETIME = "a-vita"
    WITHOUT = "senza"
    LOST = "persi"
    RETURNED = "tornati"
    EXPIRING = "in-scadenza"


class Sorting(StrEnum):
    """The orders as the address names them."""

    MRR = "mrr"
    NAME = "nome"
    REGISTERED = "data"


Wanted = Annotated[str, Query(alias="cerca", max_length=200)]
InState = Annotated[State, Query(alias="stato")]
OnPlan = Annotated[str, Query(alias="piano", max_length=MAX_LENGTH)]
Sorted = Annotated[Sorting, Query(alias="ordina")]
After = Annotated[str, Query(alias="dopo", max_length=MAX_LENGTH)]
Before = Annotated[str, Query(alias="prima", max_length=MAX_LENGTH)]
Until = Annotated[HistoryCursor | None, Query(alias="fino")]


class Filters(NamedTuple):
    """The filters of the list as its address has them."""

    wanted: str
    state: State
    plan: str
    order: Sorting

    def query(self, after: str = "", before: str = "") -> CustomerQuery:
        """Return the query of the filters. Raises RequestRejected for an id that none can be."""
        return CustomerQuery(
            order=Order[self.order.name],
            only=CustomerFilter[self.state.name],
            plan_id=_parsed(self.plan),
            wanted=self.wanted,
            after=_parsed(after),
            before=_parsed(before),
        )

    def parameters(self) -> dict[str, str]:
        """Return the parameters of the address, without those that have their default."""
        order = "" if self.order is Sorting.MRR else self.order.value
        found = {"cerca": self.wanted, "stato": self.state.value, "piano": self.plan, "ordina": order}
        return {name: value for name, value in found.items() if value}

    @property
    def are_set(self) -> bool:
        return bool(self.wanted or self.state or self.plan)


def filters_of(
    wanted: Wanted = "", state: InState = State.ALL, plan: OnPlan = "", order: Sorted = Sorting.MRR
) -> Filters:
    return Filters(one_line(wanted, MAX_NAME), state, plan, order)


Given = Annotated[Filters, Depends(filters_of)]

NOT_FOUND = RequestRejected(HTTPStatus.NOT_FOUND, "there is no such customer")


def router(context: WebContext) -> APIRouter:
    renderer, routes = Renderer(context), APIRouter()

    @routes.get(addresses.CUSTOMERS)
    def show(filters: Given, after: After = "", before: Before = "") -> Response:
        with renderer.snapshot() as snapshot:
            view = _list(parts.reader(snapshot), filters, filters.query(after, before))
            return renderer.page("customers.html", "customers", snapshot, {**view, "total": _total(snapshot)})

    @routes.get(f"{addresses.CUSTOMERS}/{{customer_id}}")
    def show_customer(customer_id: str, until: Until = None) -> Response:
        known = parsed(customer_id)
        with renderer.snapshot() as snapshot:
            account = parts.reader(snapshot).account(known, instant(until)) if known is not None else None
            if account is None:
                return RedirectResponse(_other_address(snapshot, known, customer_id), HTTPStatus.SEE_OTHER)
            view = {"customer": parts.view(account, snapshot), "format_tick": METRICS["mrr"].format_tick}
            return renderer.page("customer.html", "customers", snapshot, view)

    @routes.get("/analytics/scarica/clienti.csv", response_class=StreamingResponse)
    def download(filters: Given) -> Download:
        with bounded(FIRST_BYTES_SECONDS):
            return Download(_file(context, filters.query()), "chatello-clienti.csv", "text/csv; charset=utf-8")

    return routes


def _other_address(snapshot: Snapshot, known: DocId | None, text: str) -> str:
    """Return where an id that is not a customer's leads: to the customer whose id another program stored as text, or
    to the events of a customer of whom there is nothing else. Raises RequestRejected if there are none.
    """
    database, session = snapshot.database, snapshot.session
    with suppress(UnknownId, AmbiguousId):
        other = reference_id(database, "customer_id", known if isinstance(known, str) else text)
        if customer_details.customers(database, [other], session):
            return addresses.customer(other)
    if known is None or not customer_records.has_events(database, known, session):
        raise NOT_FOUND
    return addresses.events(cliente=shown_id(known))


def _parsed(text: str) -> DocId | None:
    known = parsed(text) if text else None
    if text and known is None:
        raise RequestRejected(HTTPStatus.BAD_REQUEST, "not an id of a plan or a customer")
    return known


def _list(found: Customers, filters: Filters, query: CustomerQuery) -> View:
    shown = filters.parameters()
    try:
        page, is_too_many = found.page(query, SHOWN), False
    except TooManyFound:
        page, is_too_many = CustomersPage([], False, False, query.order), True
    return {
        "filters": filters,
        "plans": [(typed_id(plan_id), title) for plan_id, title in found.plans_of_licenses()],
        "customers": [parts.row(line, found.settings.zone) for line in page.lines],
        "is_too_many": is_too_many,
        "notice": ""
        if page.order is query.order
        else customer_texts.ORDERED_BY_NAME.format(few=italian.integer(FEW_LICENSES)),
        "has_payments": any(line.paid_cents is not None for line in page.lines),
        "mrr": italian.cents(found.mrr_cents()),
        "previous": _beside(page, "prima", shown) if page.has_previous else "",
        "following": _beside(page, "dopo", shown) if page.has_more else "",
        "download": page_url("/analytics/scarica/clienti.csv", **shown),
    }


def _beside(page: CustomersPage, side: str, shown: dict[str, str]) -> str:
    """Return the address of the page before (`prima`) or after (`dopo`) this one; the first page if this is empty."""
    if not page.lines:
        return page_url(addresses.CUSTOMERS, **shown)
    edge = page.lines[0 if side == "prima" else -1]
    return page_url(addresses.CUSTOMERS, **{**shown, side: typed_id(edge.id)})


def _total(snapshot: Snapshot) -> str:
    count = snapshot.current.totals.customers if snapshot.current else 0
    return italian.plural(customer_texts.CUSTOMERS, count)


def _file(context: WebContext, query: CustomerQuery) -> Generator[bytes, None, None]:
    """Yield the list as a CSV file for a spreadsheet in Italian, read at one snapshot."""
    from daemon.export import plain  # noqa: PLC0415 - loads its libraries only for an export

    columns = [Column(name, Kind.TEXT, "") for name in customer_texts.FILE_COLUMNS]
    with open_snapshot(context) as snapshot:
        zone = snapshot.settings.zone
        cells = (_cells(line, zone) for line in parts.reader(snapshot).each(query))
        try:
            yield from plain.chunks(columns, cells, plain.STYLES["excel-it"], zone)
        except TooManyFound as problem:
            raise RequestRejected(HTTPStatus.UNPROCESSABLE_ENTITY, str(problem)) from None


def _cells(line: CustomerLine, zone: tzinfo) -> list[Cell]:
    """Return a line of the file; money as a number, days as dates."""
    days = [at.astimezone(zone).date() if at is not None else None for at in (line.registered_at, line.expires_at)]
    paid = None if line.paid_cents is None else line.paid_cents / 100
    state, plans = customer_texts.STANDINGS[line.standing], ", ".join(line.plans)
    return [parts.name_of(line), state, plans, line.mrr_cents / 100, days[0], paid, days[1]]
