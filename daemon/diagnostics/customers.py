"""Customers as the page, the API, the command and the download show them: list, one customer, what to do today."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from daemon.mongo.client import translated
from daemon.mongo.cluster_time import cluster_datetime, newest
from daemon.mongo.types import ClientSession, Database
from daemon.rollup.event_descriptions import EventDescriber
from daemon.runtime import metrics
from daemon.store import checkpoint, forgotten
from daemon.store.customers import customer_details, customer_records
from daemon.store.customers.customer_details import NOTHING, CustomerDetails
from daemon.store.customers.customer_list import CustomerList, CustomerQuery, Order
from daemon.store.customers.customer_search import CustomerSearch
from daemon.store.customers.todo_reader import TodoReader
from daemon.store.mirror.reader import MirrorReader
from rules import business_days
from rules.insights import customer_history
from rules.insights.customer_history import History
from rules.insights.todo import TodoGroup, TodoKind
from rules.model.changes import DocId
from rules.model.states import CustomerState, LicenseState, PlanState
from rules.settings.catalog import MARKS, PLACEHOLDER
from rules.settings.settings import Settings
from rules.text import name_text

CHUNK = 500
"""Customers of a download that are looked up together."""
MAX_STEPS = 200
"""Steps of one customer on a page, about, and licenses."""


class Standing(StrEnum):
    """What a customer is. LOST had MRR before; ENDED has only licenses that are not active."""

    PAYING = "paying"
    LIFETIME = "lifetime"
    FREE = "free"
    LOST = "lost"
    ENDED = "ended"
    WITHOUT = "without"


class CustomerLine(NamedTuple):
    """One customer of a list. `name` is "" if it is unknown; `paid_cents` is None in a shop without payments."""

    id: DocId
    name: str
    is_forgotten: bool
    is_placeholder: bool
    standing: Standing
    plans: tuple[str, ...]
    mrr_cents: int
    registered_at: datetime | None
    paid_cents: int | None
    expires_at: datetime | None


class CustomersPage(NamedTuple):
    """A page of the list, in `order`, which is not always the wanted one."""

    lines: list[CustomerLine]
    has_previous: bool
    has_more: bool
    order: Order


class LicenseLine(NamedTuple):
    """One license; the status is "deleted" for none: deleted licenses are left out."""

    id: DocId
    plan: str
    status: str
    is_active: bool
    mrr_cents: int
    expires_at: datetime | None


class CustomerAccount(NamedTuple):
    """One customer: what the list shows, the licenses, and the history up to an instant (None: up to now)."""

    line: CustomerLine
    licenses: list[LicenseLine]
    history: History
    until: datetime | None

    @property
    def mrr_cents(self) -> int:
        """The MRR after the newest step shown."""
        return self.history.steps[0].mrr_after if self.history.steps else self.history.before


class Customers:
    """Reads customers at the snapshot of a session, whose instant is `now`."""

    def __init__(self, database: Database, session: ClientSession, settings: Settings, now: datetime) -> None:
        self.database = database
        self.session = session
        self.settings = settings
        self.now = now
        self.forgotten = forgotten.load(database)
        self.plans = MirrorReader(database, settings).plans(session)
        self.listing = CustomerList(database, session, CustomerSearch(database, self.forgotten), now)

    def page(self, query: CustomerQuery, size: int) -> CustomersPage:
        """Return a page of the list. Raises TooManyFound."""
        found = self.listing.page(query, size)
        return CustomersPage(self._lines(found.customers), found.has_previous, found.has_more, found.order)

    def mrr_cents(self) -> int:
        """Return the sum of the MRR of all customers: the running total of the snapshot, which `verify` recounts."""
        return checkpoint.running_totals(self.database, self.session).mrr_cents

    def each(self, query: CustomerQuery) -> Iterator[CustomerLine]:
        """Yield every customer of the list. Raises TooManyFound."""
        _, found = self.listing.all(query)
        while chunk := list(islice(found, CHUNK)):
            yield from self._lines(chunk)

    def of_items(self, groups: Sequence[TodoGroup]) -> Mapping[DocId, CustomerLine]:
        """Return the customers of what is to do."""
        ids = {item.customer_id for group in groups for item in group.items}
        found = customer_details.customers(self.database, ids, self.session)
        return dict(zip(found, self._lines(list(found.values())), strict=True))

    def account(self, customer_id: DocId, until: datetime | None = None) -> CustomerAccount | None:
        """Return one customer with the newest steps before `until`; None if it was never seen."""
        state = customer_details.customer(self.database, customer_id, self.session)
        if state is None:
            return None
        steps = self._history(state, until)
        return CustomerAccount(self._lines([state])[0], self._licenses(customer_id), steps, until)

    def _history(self, state: CustomerState, until: datetime | None) -> History:
        place = (self.database, state.id)
        records = customer_records.of_customer(*place, self.session, 2 * MAX_STEPS, until)
        describer = EventDescriber(MirrorReader(self.database, self.settings), self.settings, self.forgotten)
        later = customer_records.mrr_moved_since(*place, until, self.session) if until is not None else 0
        described = records._replace(events=describer.describe([{**event} for event in records.events]))
        return customer_history.part(described, state.mrr_cents - later, MAX_STEPS)

    def todo(self, today: date) -> list[TodoGroup]:
        """Return what is to do, by kind; only kinds with items."""
        return TodoReader(self.database, self.session, self.settings, self.forgotten).groups(self.now, today)

    def plan_title(self, plan_id: DocId) -> str:
        """Return the name of a plan, "" if it is unknown."""
        state = self.plans.get(plan_id)
        return self.settings.plan_title(state.plan) if state is not None and state.plan is not None else ""

    def plans_of_licenses(self) -> list[tuple[DocId, str]]:
        """Return the existing plans with their names, in alphabetical order."""
        valid = [(plan_id, self.plan_title(plan_id)) for plan_id, state in self.plans.items() if _is_valid(state)]
        return sorted(valid, key=lambda plan: (plan[1].casefold(), str(plan[0])))

    # -- lines ------------------------------------------------------------------------------------------------

    def _lines(self, states: list[CustomerState]) -> list[CustomerLine]:
        details = customer_details.of_customers(self.database, [state.id for state in states], self.session)
        keeps_payments = customer_details.keeps_payments(self.database, self.session)
        return [self._line(state, details.get(state.id, NOTHING), keeps_payments) for state in states]

    def _line(self, state: CustomerState, details: CustomerDetails, keeps_payments: bool) -> CustomerLine:
        name = self.settings.customer_name(state.fields)
        is_forgotten = name in MARKS or self.forgotten.contains(state.id)
        is_placeholder = name == PLACEHOLDER
        registered = state.fields.get("created_at")
        return CustomerLine(
            id=state.id,
            name="" if is_forgotten or is_placeholder else name_text(name),
            is_forgotten=is_forgotten,
            is_placeholder=is_placeholder and not is_forgotten,
            standing=_standing(state, details),
            plans=tuple(filter(None, map(self.plan_title, details.plan_ids))),
            mrr_cents=state.mrr_cents,
            registered_at=registered if isinstance(registered, datetime) else None,
            paid_cents=details.paid_cents if keeps_payments else None,
            expires_at=details.expires_at,
        )

    def _licenses(self, customer_id: DocId) -> list[LicenseLine]:
        found = customer_details.licenses(self.database, customer_id, self.settings, self.session, MAX_STEPS)
        return [self._license(state) for state in found]

    def _license(self, state: LicenseState) -> LicenseLine:
        license, value = state.license, state.value
        is_over = license is not None and license.expires_at is not None and license.expires_at <= self.now
        status = "unknown" if license is None else license.status.value
        return LicenseLine(
            id=state.id,
            plan="" if license is None else self.plan_title(license.plan_id),
            status="expired" if is_over and status == "active" else status,
            is_active=value is not None and value.active,
            mrr_cents=0 if value is None else value.mrr_cents,
            expires_at=None if license is None else license.expires_at,
        )


def export_todo(database: Database, settings: Settings) -> None:
    """Export how much there is to do today, by kind."""
    with translated(), database.client.start_session(snapshot=True) as session:
        now = cluster_datetime(newest(database))
        found = Customers(database, session, settings, now).todo(business_days.business_day(now, settings.zone))
    totals = {group.kind: group.total for group in found}
    for kind in TodoKind:
        metrics.TODO.labels(kind.value).set(totals.get(kind, 0))


def _is_valid(state: PlanState) -> bool:
    return state.present and state.plan is not None


def _standing(state: CustomerState, details: CustomerDetails) -> Standing:
    if state.mrr_cents:
        return Standing.PAYING
    if state.active_licenses:
        return Standing.LIFETIME if state.paid_licenses else Standing.FREE
    if state.ever_mrr:
        return Standing.LOST
    return Standing.ENDED if details.licenses else Standing.WITHOUT
