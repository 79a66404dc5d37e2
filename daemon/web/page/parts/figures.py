"""Business figures as the page shows them: key figures with changes, plans, limited deals."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from daemon.mongo.types import ReadOnlyDocument
from daemon.store.ledger.totals import CurrentTotals
from daemon.web.page import texts
from rules.model.changes import DocId
from rules.model.ledger import Totals
from rules.model.states import PlanState
from rules.rows import row
from rules.settings import catalog, italian
from rules.settings.settings import Settings

YESTERDAY, A_WEEK = 1, 7
SPANS = {YESTERDAY: texts.SINCE_YESTERDAY, A_WEEK: texts.IN_A_WEEK}


class FigureChange(NamedTuple):
    """A formatted change, its period, and its direction: up, down or level."""

    text: str
    since: str
    direction: str


class Figure(NamedTuple):
    """A key figure; `key` is its name in addresses."""

    key: str
    name: str
    value: str
    changes: list[FigureChange]


class PlanLine(NamedTuple):
    """Formatted figures of a plan; `share` is its share of all MRR, `key` its name in addresses."""

    key: str
    name: str
    active: str
    mrr: str
    share: str
    one_time: str


class Deal(NamedTuple):
    """A plan with a limited number of licenses."""

    name: str
    sold: int
    limit: int
    text: str
    left: str
    income: str


class Measure(NamedTuple):
    """A key figure: how to read it from the totals and from a row, and how to format it and its change."""

    key: str
    name: str
    of_totals: Callable[[Totals], int]
    of_row: Callable[[ReadOnlyDocument], object]
    format: Callable[[int], str]
    format_change: Callable[[int], str]


MEASURES = (
    Measure(
        "mrr",
        texts.MRR,
        lambda totals: totals.mrr_cents,
        lambda row: catalog.cents(row.get("mrr")),
        italian.cents,
        italian.signed_cents,
    ),
    Measure(
        "clienti",
        texts.CUSTOMERS,
        lambda totals: totals.customers,
        lambda row: row.get("total_customers"),
        italian.integer,
        italian.signed,
    ),
    Measure(
        "paganti",
        texts.PAYING,
        lambda totals: totals.paying_customers,
        lambda row: row.get("paying_customers"),
        italian.integer,
        italian.signed,
    ),
    Measure(
        "licenze",
        texts.LICENSES,
        lambda totals: totals.active_licenses,
        lambda row: row.get("active_licenses"),
        italian.integer,
        italian.signed,
    ),
    Measure(
        "arr",
        texts.ARR,
        lambda totals: totals.mrr_cents * 12,
        lambda row: catalog.cents(row.get("arr")),
        italian.cents,
        italian.signed_cents,
    ),
)


def figures(current: CurrentTotals, rows: Mapping[int, ReadOnlyDocument]) -> list[Figure]:
    """Return the key figures, each with its change since yesterday and in a week where known.

    `rows` are rows of the table by age in days, for days before the ledger.
    """
    found = []
    for measure in MEASURES:
        now = measure.of_totals(current.totals)
        earlier = _earlier_values(measure, current, rows)
        changes = [
            _change(now, earlier[ago], since, measure.format_change) for ago, since in SPANS.items() if ago in earlier
        ]
        found.append(Figure(measure.key, measure.name, measure.format(now), changes))
    return found


def _earlier_values(measure: Measure, current: CurrentTotals, rows: Mapping[int, ReadOnlyDocument]) -> dict[int, int]:
    """Return the known earlier values by age in days; the ledger takes precedence over the table."""
    known = {ago: measure.of_row(one) for ago, one in rows.items() if row.is_comparable(one)}
    known |= {ago: measure.of_totals(totals) for ago, totals in current.earlier.items()}
    return {ago: value for ago, value in known.items() if isinstance(value, int)}


def _change(now: int, earlier: int, since: str, format_change: Callable[[int], str]) -> FigureChange:
    if now == earlier:
        return FigureChange(texts.UNCHANGED, since, "level")
    return FigureChange(format_change(now - earlier), since, "up" if now > earlier else "down")


def plan_lines(totals: Totals, plans: Mapping[DocId, PlanState], settings: Settings) -> list[PlanLine]:
    """Return the plans with licenses or revenue, highest MRR first."""
    sums = {
        plan_id: one for plan_id, one in totals.by_plan.items() if one.active or one.mrr_cents or one.one_time_cents
    }
    ranked = sorted(sums.items(), key=lambda item: (-item[1].mrr_cents, -item[1].one_time_cents, -item[1].active))
    return [
        PlanLine(
            f"piano.{row.plan_key(plans.get(plan_id))}",
            _title(plans.get(plan_id), settings),
            italian.integer(one.active),
            italian.cents(one.mrr_cents),
            texts.percent(one.mrr_cents, totals.mrr_cents),
            italian.cents(one.one_time_cents) if one.one_time_cents else "",
        )
        for plan_id, one in ranked
    ]


def deals(totals: Totals, plans: Mapping[DocId, PlanState], settings: Settings) -> list[Deal]:
    """Return the limited plans on sale, such as the Founders Deal."""
    found = []
    for plan_id, state in plans.items():
        if state.plan is None or not state.plan.limit or not state.present:
            continue
        sums, limit = totals.by_plan.get(plan_id), state.plan.limit
        sold = min(sums.licenses, limit) if sums else 0
        text = texts.LIMITED_OF.format(sold=italian.plural(texts.LIMITED_SOLD, sold), limit=italian.integer(limit))
        left = italian.plural(texts.LIMITED_LEFT, limit - sold) if sold < limit else texts.LIMITED_OVER
        income = texts.LIMITED_INCOME.format(amount=italian.cents(sums.one_time_cents)) if sums else ""
        found.append(Deal(settings.plan_title(state.plan), sold, limit, text, left, income))
    return found


def _title(state: PlanState | None, settings: Settings) -> str:
    return settings.plan_title(state.plan) if state is not None and state.plan is not None else texts.PLAN_UNKNOWN
