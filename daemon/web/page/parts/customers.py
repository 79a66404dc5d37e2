"""Customers, their history, and what to do today, formatted for readers."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, tzinfo
from typing import NamedTuple

from daemon.diagnostics.customers import CustomerAccount, CustomerLine, Customers, LicenseLine
from daemon.mongo.id_text import shown_id
from daemon.mongo.typed_ids import typed_id
from daemon.web.api.customers import history_cursor
from daemon.web.page import addresses, customer_texts, texts, why_texts
from daemon.web.page.charts.axes import Place
from daemon.web.page.charts.steps import Level, StepChart, step_chart
from daemon.web.page.environment import page_url
from daemon.web.page.parts.event_lines import EventLine, event_line
from daemon.web.page.snapshot import Snapshot
from rules import business_days
from rules.insights.customer_history import Step, StoredEvent
from rules.insights.todo import TodoGroup, TodoItem, TodoKind
from rules.model.changes import DocId
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason
from rules.settings import italian
from rules.settings.settings import Settings


class CustomerRow(NamedTuple):
    address: str
    name: str
    state: str
    plans: str
    mrr: str
    since: str
    paid: str
    expires: str


class StepRow(NamedTuple):
    """A step of a history: `event` is its event, else `text` says what moved; `line` is the number of its movement.

    `place` is that of the step in the chart.
    """

    when: str
    day_address: str
    event: EventLine | None = None
    text: str = ""
    change: str = italian.DASH
    mrr: str = italian.DASH
    line: int | None = None
    events_address: str = ""
    place: Place | None = None


class LicenseRow(NamedTuple):
    plan: str
    state: str
    mrr: str
    expires: str


class CustomerView(NamedTuple):
    name: str
    is_forgotten: bool
    state: str
    since: str
    mrr: str
    paid: str
    paid_address: str
    expires: str
    licenses: list[LicenseRow]
    steps: list[StepRow]
    before: str
    before_why: str
    chart: StepChart | None
    chart_label: str
    newest: str
    older: str
    events_address: str
    api: str


class TodoLine(NamedTuple):
    address: str
    name: str
    details: str


class TodoSection(NamedTuple):
    kind: str
    title: str
    amount: str
    why: str
    lines: list[TodoLine]
    others: str
    habitual: str
    unread: str
    list_text: str
    list_address: str


def name_of(line: CustomerLine) -> str:
    if line.is_forgotten:
        return customer_texts.REMOVED
    return customer_texts.PLACEHOLDER if line.is_placeholder else line.name or customer_texts.UNNAMED


def paid(cents: int | None) -> str:
    return italian.DASH if cents is None else italian.cents(cents)


def row(line: CustomerLine, zone: tzinfo) -> CustomerRow:
    return CustomerRow(
        address=addresses.customer(line.id),
        name=name_of(line),
        state=customer_texts.STANDINGS[line.standing],
        plans=", ".join(line.plans) or italian.DASH,
        mrr=italian.cents(line.mrr_cents),
        since=_day(line.registered_at, zone),
        paid=paid(line.paid_cents),
        expires=_day(line.expires_at, zone),
    )


def _day(at: datetime | None, zone: tzinfo) -> str:
    return texts.day(business_days.local(at, zone)) if at is not None else italian.DASH


# -- one customer -------------------------------------------------------------------------------------------


def view(account: CustomerAccount, snapshot: Snapshot) -> CustomerView:
    line, zone, today = account.line, snapshot.settings.zone, snapshot.today
    first_day = snapshot.current.first_day if snapshot.current else None
    before, older, address = account.history.before, account.history.older, addresses.customer(line.id)
    chart = _chart(account, snapshot)
    return CustomerView(
        name=name_of(line),
        is_forgotten=line.is_forgotten,
        state=customer_texts.STANDINGS[line.standing],
        since=_since(line.registered_at, zone, today),
        mrr=italian.cents(line.mrr_cents),
        paid=paid(line.paid_cents),
        paid_address=addresses.events(tipo=EventType.PAYMENT_COMPLETED.value, cliente=shown_id(line.id)),
        expires=_expiry(line.expires_at, zone, today),
        licenses=[_license(one, zone) for one in account.licenses],
        steps=[*_steps(account, snapshot.settings, chart)],
        before=italian.cents(before) if before or older else "",
        before_why=_before_why(first_day, today) if before and not older else "",
        chart=chart,
        chart_label=customer_texts.CHART_LABEL.format(mrr=italian.cents(account.mrr_cents)),
        newest=f"{address}#story" if account.until else "",
        older=page_url(address, "story", fino=history_cursor(older)) if older else "",
        events_address=addresses.events(cliente=shown_id(line.id)),
        api=f"/api/customers/{typed_id(line.id)}",
    )


def _chart(account: CustomerAccount, snapshot: Snapshot) -> StepChart | None:
    """Return the chart of the steps shown, up to the next newer one or to now."""
    zone = snapshot.settings.zone
    levels = [Level(business_days.local(step.at, zone), step.mrr_after) for step in reversed(account.history.steps)]
    return step_chart(levels, (account.until or snapshot.now).astimezone(zone))


def _since(at: datetime | None, zone: tzinfo, today: date) -> str:
    if at is None:
        return customer_texts.SINCE_UNKNOWN
    day = business_days.business_day(at, zone)
    return customer_texts.SINCE.format(dal_day=italian.with_article(italian.DAL, day, today))


def _before_why(first_day: date | None, today: date) -> str:
    if first_day is None:
        return ""
    return customer_texts.BEFORE_WHY.format(del_day=italian.with_article(italian.DEL, first_day, today))


def _expiry(at: datetime | None, zone: tzinfo, today: date) -> str:
    """Return a date with the days until then, or a dash."""
    if at is None:
        return italian.DASH
    days = (business_days.business_day(at, zone) - today).days
    text = customer_texts.EXPIRES_DAYS[min(max(days, 0), 2)].format(count=italian.integer(days))
    return f"{_day(at, zone)} ({text})"


def _license(license: LicenseLine, zone: tzinfo) -> LicenseRow:
    is_endless = license.expires_at is None and license.is_active
    return LicenseRow(
        plan=license.plan or texts.PLAN_UNKNOWN,
        state=customer_texts.LICENSE_STATES[license.status],
        mrr=italian.cents(license.mrr_cents),
        expires=customer_texts.NO_EXPIRY if is_endless else _day(license.expires_at, zone),
    )


def _steps(account: CustomerAccount, settings: Settings, chart: StepChart | None) -> Iterator[StepRow]:
    """Yield the steps; the registration from the document if nothing was recorded about it."""
    steps = account.history.steps
    places = reversed(chart.places) if chart else [None] * len(steps)
    yield from (_step(step, settings)._replace(place=place) for step, place in zip(steps, places, strict=True))
    registered = account.line.registered_at
    if registered is not None and not any(map(_is_registration, steps)) and not account.history.older:
        yield _row_at(registered, settings)._replace(text=customer_texts.REGISTERED)


def _is_registration(step: Step) -> bool:
    is_event = step.event is not None and step.event.get("event_type") == EventType.NEW_CUSTOMER
    return is_event or (step.line is not None and step.line.movement.reason is Reason.CUSTOMER_CREATED)


def _step(step: Step, settings: Settings) -> StepRow:
    line, event = step.line, step.event
    return _row_at(step.at, settings)._replace(
        event=event_line(event, settings) if event is not None else None,
        text=_movement_text(step) if event is None else "",
        change=italian.signed_cents(step.mrr_cents) if step.mrr_cents else italian.DASH,
        mrr=italian.cents(step.mrr_after),
        line=line.number if line is not None else None,
        events_address=_events_address(event, settings.zone) if event is not None else "",
    )


def _events_address(event: StoredEvent, zone: tzinfo) -> str:
    """Return the address of the customer's events of the same type and day."""
    kind, customer = event.get("event_type"), event.get("customer_id")
    day = business_days.business_day(event["event_date"], zone)
    return addresses.events(tipo=kind if kind in set(EventType) else "", giorno=day, cliente=shown_id(customer))


def _movement_text(step: Step) -> str:
    if step.line is None:
        return ""
    movement = step.line.movement
    reason = why_texts.REASONS[movement.reason]
    if movement.count < 1:
        return customer_texts.CORRECTION.format(reason=reason)
    is_neutral = movement.kind is MovementKind.NEUTRAL
    return reason.capitalize() if is_neutral else f"{why_texts.KINDS[movement.kind]}: {reason}"


def _row_at(at: datetime, settings: Settings) -> StepRow:
    local = business_days.local(at, settings.zone)
    address = addresses.day(business_days.business_day(at, settings.zone))
    return StepRow(f"{local:%d/%m/%Y %H:%M}", address)


# -- to do --------------------------------------------------------------------------------------------------


def reader(snapshot: Snapshot) -> Customers:
    return Customers(snapshot.database, snapshot.session, snapshot.settings, snapshot.now)


def todo(snapshot: Snapshot) -> list[TodoSection]:
    """Return what to do today, by kind."""
    found = reader(snapshot)
    groups = found.todo(snapshot.today)
    lines = found.of_items(groups)
    return [_section(group, lines, found, snapshot) for group in groups]


def _section(
    group: TodoGroup, lines: Mapping[DocId, CustomerLine], found: Customers, snapshot: Snapshot
) -> TodoSection:
    others = customer_texts.TODO_OTHER_LICENSES if group.kind is TodoKind.EXPIRING else customer_texts.TODO_OTHERS
    list_text, state = customer_texts.TODO_ALL.get(group.kind, ("", ""))
    amount = customer_texts.TODO_AMOUNTS.get(group.kind, "")
    return TodoSection(
        kind=group.kind.value,
        title=_title(group),
        amount=amount.format(amount=italian.cents(group.cents)) if group.cents else "",
        why=customer_texts.TODO_WHY[group.kind],
        lines=[_todo_line(item, group.kind, lines.get(item.customer_id), found, snapshot) for item in group.items],
        others=italian.plural(others, group.others) if group.others else "",
        habitual=italian.plural(customer_texts.TODO_HABITUAL, group.habitual) if group.habitual else "",
        unread=_unread(group) if group.unread else "",
        list_text=list_text,
        list_address=f"{addresses.CUSTOMERS}?stato={state}" if state else "",
    )


def _title(group: TodoGroup) -> str:
    forms = customer_texts.TODO_TITLES[group.kind]
    if group.has_more:
        return forms[1].format(count=customer_texts.TODO_MORE_THAN.format(count=italian.integer(group.total)))
    return italian.plural(forms, group.total)


def _unread(group: TodoGroup) -> str:
    read = italian.integer(group.total - group.unread)
    return customer_texts.TODO_UNREAD[group.unread > 1].format(read=read, count=italian.integer(group.unread))


def _todo_line(
    item: TodoItem, kind: TodoKind, line: CustomerLine | None, found: Customers, snapshot: Snapshot
) -> TodoLine:
    zone, today = snapshot.settings.zone, snapshot.today
    when = _expiry(item.at, zone, today) if kind is TodoKind.EXPIRING else _day(item.at, zone)
    parts = (
        italian.cents(item.cents) if item.cents is not None else "",
        found.plan_title(item.plan_id) if item.plan_id is not None else "",
        when,
    )
    name = name_of(line) if line is not None else customer_texts.UNNAMED
    return TodoLine(addresses.customer(item.customer_id), name, " · ".join(filter(None, parts)))
