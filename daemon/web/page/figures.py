"""How the business stands, in the words of the page: the numbers with their change, plans, what is left of a deal."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from daemon.mongo.types import ReadOnlyDocument
from daemon.store.ledger.totals import CurrentTotals
from daemon.web.page import texts
from rules.model.changes import DocId
from rules.model.ledger import Totals
from rules.model.states import PlanState

YESTERDAY, A_WEEK = 1, 7
SPANS = {YESTERDAY: texts.SINCE_YESTERDAY, A_WEEK: texts.IN_A_WEEK}


class Change(NamedTuple):
    """A change as it is written, since when, and its direction: up, down or level."""

    text: str
    since: str
    direction: str


class Figure(NamedTuple):
    name: str
    value: str
    changes: list[Change]
    aside: str = ""


class PlanLine(NamedTuple):
    """A plan's part of the business; `share` is of all MRR."""

    name: str
    active: str
    mrr: str
    share: str
    one_time: str


class Deal(NamedTuple):
    """A plan of which only so many are sold."""

    name: str
    sold: int
    limit: int
    text: str
    left: str
    income: str


class Measure(NamedTuple):
    """One number: where it stands in the totals and in a row of the table, and how it and its change are written."""

    name: str
    of_totals: Callable[[Totals], int]
    of_row: Callable[[ReadOnlyDocument], object]
    written: Callable[[int], str]
    signed: Callable[[int], str]


MEASURES = (
    Measure(
        texts.MRR, lambda totals: totals.mrr_cents, lambda row: _cents(row.get("mrr")), texts.cents, texts.signed_cents
    ),
    Measure(
        texts.CUSTOMERS,
        lambda totals: totals.customers,
        lambda row: row.get("total_customers"),
        texts.integer,
        texts.signed,
    ),
    Measure(
        texts.PAYING,
        lambda totals: totals.paying_customers,
        lambda row: row.get("paying_customers") if "active_licenses" in row else None,
        texts.integer,
        texts.signed,
    ),
    Measure(
        texts.LICENSES,
        lambda totals: totals.active_licenses,
        lambda row: row.get("active_licenses"),
        texts.integer,
        texts.signed,
    ),
)
"""A row without `active_licenses` is the dashboard's, which counts every active licence as a paying customer."""


def _cents(amount: object) -> int | None:
    known = texts.number(amount)
    return None if known is None else round(known * 100)


def figures(standing: CurrentTotals, rows: Mapping[int, ReadOnlyDocument]) -> list[Figure]:
    """The numbers of the morning, each with its change since yesterday and a week ago where that is known.

    `rows` are the table's of as many days ago, for where the ledger does not reach.
    """
    found = []
    for measure in MEASURES:
        now = measure.of_totals(standing.totals)
        before = _before(measure, standing, rows)
        changes = [_change(now, before[ago], since, measure.signed) for ago, since in SPANS.items() if ago in before]
        aside = f"{texts.ARR} {texts.cents(now * 12)}" if measure.name == texts.MRR else ""
        found.append(Figure(measure.name, measure.written(now), changes, aside))
    return found


def _before(measure: Measure, standing: CurrentTotals, rows: Mapping[int, ReadOnlyDocument]) -> dict[int, int]:
    """What is known of the number as it was, by how many days ago."""
    told = {ago: measure.of_row(row) for ago, row in rows.items()}
    told |= {ago: measure.of_totals(totals) for ago, totals in standing.earlier.items()}
    return {ago: value for ago, value in told.items() if isinstance(value, int)}


def _change(now: int, before: int, since: str, signed: Callable[[int], str]) -> Change:
    if now == before:
        return Change(texts.UNCHANGED, since, "level")
    return Change(signed(now - before), since, "up" if now > before else "down")


def plan_lines(totals: Totals, plans: Mapping[DocId, PlanState]) -> list[PlanLine]:
    """Every plan that sells or sold something, the one with most MRR first."""
    sums = {
        plan_id: one for plan_id, one in totals.by_plan.items() if one.active or one.mrr_cents or one.one_time_cents
    }
    ranked = sorted(sums.items(), key=lambda item: (-item[1].mrr_cents, -item[1].one_time_cents, -item[1].active))
    return [
        PlanLine(
            _title(plans.get(plan_id)),
            texts.integer(one.active),
            texts.cents(one.mrr_cents),
            texts.percent(one.mrr_cents, totals.mrr_cents),
            texts.cents(one.one_time_cents) if one.one_time_cents else "",
        )
        for plan_id, one in ranked
    ]


def deals(totals: Totals, plans: Mapping[DocId, PlanState]) -> list[Deal]:
    """The plans with a limit that are on sale, such as the Founders Deal."""
    found = []
    for plan_id, state in plans.items():
        if state.plan is None or not state.plan.limit or not state.present:
            continue
        sums, limit = totals.by_plan.get(plan_id), state.plan.limit
        sold = min(sums.licenses, limit) if sums else 0
        text = texts.LIMITED_OF.format(sold=texts.plural(texts.LIMITED_SOLD, sold), limit=texts.integer(limit))
        left = texts.plural(texts.LIMITED_LEFT, limit - sold) if sold < limit else texts.LIMITED_OVER
        income = texts.LIMITED_INCOME.format(amount=texts.cents(sums.one_time_cents)) if sums else ""
        found.append(Deal(state.plan.title, sold, limit, text, left, income))
    return found


def _title(state: PlanState | None) -> str:
    return state.plan.title if state is not None and state.plan is not None else texts.PLAN_UNKNOWN
