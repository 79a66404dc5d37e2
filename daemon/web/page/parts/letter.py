"""What the letter of a month is made of, read at one snapshot. The page and `export letter` share it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from markupsafe import Markup

from daemon.mongo.types import Document
from daemon.rollup.event_descriptions import EventDescriber
from daemon.rollup.months import Month, Months, MonthSource
from daemon.rollup.row_builder import distinct
from daemon.runtime.health import Health, Instant
from daemon.store import events, gaps, month_rows
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from daemon.web.page import assets, texts
from daemon.web.page.charts import marks
from daemon.web.page.environment import environment
from daemon.web.page.parts import feed, status
from daemon.web.page.snapshot import Snapshot
from rules import business_days
from rules.messages import corrections
from rules.messages.corrections import Correction
from rules.messages.letter import letter
from rules.messages.letter.facts import Day, LimitedSale, MonthFacts, movements
from rules.messages.letter.letter import Letter
from rules.model.events import EventType
from rules.rows import announced, periods, row
from rules.rows.periods import Period
from rules.rows.row import are_comparable
from rules.settings import italian, letter_texts, message_texts
from rules.settings.catalog import cents
from rules.text import one_line

OF_THE_CALENDAR = ("special_date",)
"""Metadata of campaigns that are dates of the calendar."""
NOT_REACHED = ("founders_remaining", "week_start", "month_start", "growth_period", "trend")
"""Metadata of milestones that count sales or sum up a period."""
STYLES = ("page.css", "letter.css")
MAX_EVENTS = 200
MAX_LINE = 120
"""Characters of a line: at most three printed ones."""
MIN_MONTHS = 3
"""A month is "the best so far" from so many months on."""


class MonthLetter(NamedTuple):
    """A letter and where it stands.

    `when` and `before` name the month and the one before in addresses, "" if their numbers have no explanation; `line`
    is the ledger line at which the numbers of an open month stand.
    """

    letter: Letter
    first: date
    when: str
    before: str
    line: int | None
    previous: date | None
    next: date | None


def months_of(snapshot: Snapshot) -> Months:
    start = snapshot.current.first_day if snapshot.current else None
    return Months(snapshot.database, snapshot.settings, snapshot.session, snapshot.today, start, snapshot.day_totals)


def read(snapshot: Snapshot, first: date, proof: str) -> MonthLetter | None:
    """Return the letter of a month by its first day; None if the table and the ledger have nothing of it."""
    months = months_of(snapshot)
    listed = months.listed()
    month = months.get(first, listed)
    if month is None:
        return None
    days = [one.first for one in listed]
    before = periods.months_before(first, 1)
    return MonthLetter(
        letter.compose(_facts(snapshot, month, listed, proof)),
        first,
        when=f"{first:%Y-%m}" if months.has_ledger(first) else "",
        before=f"{before:%Y-%m}" if months.has_ledger(before) else "",
        line=line(snapshot, month),
        previous=max((day for day in days if day < first), default=None),
        next=min((day for day in days if day > first), default=None),
    )


def _facts(snapshot: Snapshot, month: Month, listed: Sequence[Month], proof: str) -> MonthFacts:
    period, zone = periods.month(month.first), snapshot.settings.zone
    span = (business_days.start(period.first, zone), row.end(period, snapshot.settings))
    days = month_rows.days(snapshot.database, period.first - business_days.ONE_DAY, period.last, snapshot.session)
    first_before = periods.months_before(month.first, 1)
    previous = next((one.row for one in listed if one.first == first_before), {})
    return MonthFacts(
        month.first,
        month.row,
        previous if are_comparable(previous, month.row) else {},
        is_running=month.source is MonthSource.OPEN,
        is_best=is_best(month, listed),
        status=status_text(snapshot, month),
        plans=_plans(snapshot, period),
        limited=tuple(_limited(snapshot, month)),
        days=tuple(day_changes(days, period.first)),
        milestones=_lines(snapshot, [EventType.MILESTONE_REACHED], span, NOT_REACHED),
        marks=_lines(snapshot, marks.TYPES, span, OF_THE_CALENDAR),
        corrections=corrections.lines(_corrections(snapshot, month, days, span), snapshot.today),
        gaps=[status.closed_gap(gap, zone) for gap in gaps.between(snapshot.database, *span, snapshot.session)],
        proof=proof,
    )


def line(snapshot: Snapshot, month: Month) -> int | None:
    return snapshot.current.line if month.source is MonthSource.OPEN and snapshot.current else None


def document(month: MonthLetter) -> str:
    """Return the letter as one file that needs nothing else."""
    styles = Markup("\n".join((assets.FOLDER / name).read_text(encoding="utf-8") for name in STYLES))  # noqa: S704
    return environment().get_template("letter_file.html").render(month=month, styles=styles, is_file=True)


def proof(health: Health, snapshot: Snapshot) -> str:
    """Return the outcome of the last verification by this process."""
    if health.mismatches:
        return italian.plural(letter_texts.PROOF_FAILED, health.mismatches)
    if not health.at(Instant.VERIFICATION):
        return letter_texts.PROOF_MISSING
    at = datetime.fromtimestamp(health.at(Instant.VERIFICATION), snapshot.settings.zone)
    return letter_texts.PROOF.format(il_moment=texts.day_and_time(italian.IL, at, snapshot.local_now))


# -- the month ----------------------------------------------------------------------------------------------


def status_text(snapshot: Snapshot, month: Month) -> str:
    """Return in words what is incomplete or not measured; "" for a whole closed month."""
    sentences = []
    if month.source is MonthSource.OPEN and snapshot.current is not None:
        at = texts.day_and_time(italian.AL, snapshot.current.at, snapshot.now.astimezone(snapshot.settings.zone))
        sentences.append(letter_texts.RUNNING.format(al_moment=at))
    if month.source is MonthSource.RECONSTRUCTED:
        sentences.append(letter_texts.RECONSTRUCTED)
    if month.source is MonthSource.DAYS:
        sentences.append(letter_texts.FROM_DAYS)
    begin = month.row.get("measured_from")
    if isinstance(begin, datetime):
        day = business_days.business_day(begin, snapshot.settings.zone)
        sentences.append(letter_texts.PARTIAL.format(dal_day=italian.with_article(italian.DAL, day, snapshot.today)))
    return " ".join(sentences)


def is_best(month: Month, listed: Sequence[Month]) -> bool:
    """Return whether MRR grew more than in each month before, of at least `MIN_MONTHS`."""
    changes = [mrr_change(before, after) for before, after in pairwise(listed) if after.first <= month.first]
    own = changes.pop() if changes else None
    earlier = [change for change in changes if change is not None]
    return own is not None and len(earlier) >= MIN_MONTHS - 1 and own > max(0, *earlier)


def mrr_change(before: Month, month: Month) -> int | None:
    """Return the change of MRR between two months; None if they are not adjacent or not counted by the same rules."""
    if periods.next_month(before.first) != month.first or not are_comparable(before.row, month.row):
        return None
    earlier, later = cents(before.row.get("mrr")), cents(month.row.get("mrr"))
    return None if earlier is None or later is None else later - earlier


def _plans(snapshot: Snapshot, period: Period) -> dict[str, str]:
    """Return the titles of recurring plans by their key in the row of a period."""
    plans = MirrorReader(snapshot.database, snapshot.settings).plans(snapshot.session)
    at = row.end(period, snapshot.settings)
    known = {row.plan_key(state, at): state.plan for state in plans.values()}
    return {key: plan.title for key, plan in known.items() if plan is not None and not plan.is_lifetime}


def _limited(snapshot: Snapshot, month: Month) -> Iterator[LimitedSale]:
    """Yield the limited plans that the month sold; nothing if the ledger has not all of the month."""
    period, current = periods.month(month.first), snapshot.current
    if current is None or current.first_day is None or current.first_day > period.first:
        return
    states = MirrorReader(snapshot.database, snapshot.settings).plans(snapshot.session)
    limits = {plan_id: state.plan for plan_id, state in states.items() if state.plan and state.plan.limit}
    if not limits:
        return
    now = {plan_id: sums.licenses for plan_id, sums in current.totals.by_plan.items() if plan_id in limits}
    is_recent = snapshot.today - period.last < period.first - current.first_day
    days = period.first, period.last
    found = ledger.licenses_by_plan(snapshot.database, now, days, snapshot.session, is_recent=is_recent)
    for plan_id, (sold, at_end) in found.items():
        if sold > 0:
            plan = limits[plan_id]
            yield LimitedSale(snapshot.settings.plan_title(plan), sold, max(0, (plan.limit or 0) - at_end))


def day_changes(days: Sequence[Document], first: date) -> Iterator[Day]:
    """Yield what each day since `first` contributed: its movements, or else the difference to the day before."""
    for before, day in pairwise([{}, *days]):
        at, moved = day["date"].date(), movements(day)
        change = sum(moved.values()) if moved is not None else _difference(before, day)
        if at >= first and change is not None:
            yield Day(at, change, *(_count(day.get(name)) for name in ("new_customers", "churned_customers")))


def _difference(before: Mapping[str, Any], day: Mapping[str, Any]) -> int | None:
    earlier, later = cents(before.get("mrr")), cents(day.get("mrr"))
    if earlier is None or later is None or not are_comparable(before, day):
        return None
    if day["date"] - before["date"] != business_days.ONE_DAY:
        return None
    return later - earlier


def _count(value: object) -> int:
    return round(italian.number(value) or 0)


# -- what happened ------------------------------------------------------------------------------------------


def _lines(
    snapshot: Snapshot, types: Sequence[str], span: tuple[datetime, datetime], without: Sequence[str]
) -> list[str]:
    """Return the events of some types as lines; one that was written twice is one line."""
    found = events.of_types(snapshot.database, types, span, without, MAX_EVENTS, snapshot.session)
    described = distinct(EventDescriber.of(snapshot.database, snapshot.settings).describe(found))
    items = [feed.feed_item(event, snapshot.today, snapshot.settings) for event in described]
    return [one_line(f"{item.time} {item.emoji}{italian.NBSP}{item.text}", MAX_LINE) for item in items]


def _corrections(
    snapshot: Snapshot, month: Month, days: Sequence[Document], span: tuple[datetime, datetime]
) -> list[Correction]:
    """Return what changed since the letter before: closed days of the month, the month, and months before it."""
    period = periods.month(month.first)
    earlier = month_rows.amended_between(snapshot.database, period, span[0], span[1], snapshot.session)
    own = [correction(one, month=False) for one in days if one["date"].date() >= period.first]
    found = [*(correction(one, month=True) for one in (*earlier, month.row)), *own]
    return [one for one in found if one.changes]


def correction(stored: Mapping[str, Any], *, month: bool) -> Correction:
    """Return the announced numbers of an amended row that differ from those first reported."""
    first, revision = stored.get("first_reported"), stored.get("revision")
    changes = {}
    if isinstance(first, Mapping) and isinstance(revision, int) and revision > 0:
        before, after = announced.numbers(first), announced.numbers(stored)
        changes = {
            name: (before[name], after[name])
            for name in message_texts.NUMBERS
            if name in before and name in after and before[name] != after[name]
        }
    return Correction(stored["date"].date(), month, changes)
