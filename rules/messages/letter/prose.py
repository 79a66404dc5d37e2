"""The prose of a letter: paragraphs of sentences whose numbers can be asked about."""

from collections.abc import Iterator
from datetime import timedelta

from rules.messages.letter.facts import (
    NUMBERS,
    LimitedSale,
    MonthFacts,
    movements,
    start_and_end,
    subscribers_at_start,
)
from rules.messages.letter.pieces import Piece, Sentence, counted, month_name, sentence
from rules.model.ledger import MovementKind
from rules.revenue import rates
from rules.settings import italian, letter_texts
from rules.settings.catalog import cents

WON = (MovementKind.NEW, MovementKind.EXPANSION, MovementKind.REACTIVATION)
LOST = (MovementKind.CONTRACTION, MovementKind.CHURN)
LEVELS = {
    "customers": ("total_customers", "clienti"),
    "paying": ("paying_customers", "paganti"),
    "licenses": ("active_licenses", "licenze"),
}
"""Field of the row and name in addresses, by their names in the text."""


def paragraphs(facts: MonthFacts) -> tuple[tuple[Sentence, ...], ...]:
    """Return the paragraphs; what is not known is left out."""
    found = (
        tuple(_opening(facts)),
        tuple(_movements(facts)),
        tuple(_customers(facts)),
        tuple(_sales(facts)),
        tuple(_rates(facts)),
    )
    return tuple(sentences for sentences in found if sentences)


def _opening(facts: MonthFacts) -> Iterator[Sentence]:
    name = month_name(facts.first)
    ends = start_and_end(facts)
    change = ends[1] - ends[0] if ends else 0
    yield sentence(
        letter_texts.OPENING[_tone(facts, change) if ends else "unknown"],
        Month=name.capitalize(),
        mrr=Piece(italian.euro(facts.row.get("mrr")), "mrr"),
        change=italian.signed_cents(change),
        previous=italian.MONTHS[(facts.first - timedelta(days=1)).month - 1].lower(),
    )


def _tone(facts: MonthFacts, change: int) -> str:
    if facts.is_partial:
        return "first"
    if facts.is_running:
        return "running"
    if facts.is_best:
        return "best"
    return "up" if change > 0 else "down" if change < 0 else "level"


def _movements(facts: MonthFacts) -> Iterator[Sentence]:
    moved = movements(facts.row)
    if moved is None:
        return
    won, lost = sum(moved[kind] for kind in WON), -sum(moved[kind] for kind in LOST)
    signed = {kind: -amount if kind in LOST else amount for kind, amount in moved.items()}
    parts = {str(kind): Piece(italian.cents(amount), NUMBERS[kind]) for kind, amount in signed.items()}
    if any(moved[kind] for kind in WON):
        yield sentence(letter_texts.IN, won=Piece(italian.cents(won), "movimenti.entrati"), **parts)
    else:
        yield sentence(letter_texts.NOTHING_IN)
    if any(moved[kind] for kind in LOST):
        yield sentence(letter_texts.OUT, lost=Piece(italian.cents(lost), "movimenti.usciti"), **parts)
    else:
        yield sentence(letter_texts.NOTHING_OUT)


def _customers(facts: MonthFacts) -> Iterator[Sentence]:
    row = facts.row
    new, lost, back = (_count(row.get(f"{name}_customers")) for name in ("new", "churned", "reactivated"))
    if new is not None:
        yield counted(letter_texts.NEW, new, "nuovi")
    if lost is not None:
        yield _lost(facts, lost)
    if back:
        yield counted(letter_texts.BACK, back, "tornati")
    yield _totals(facts)


def _lost(facts: MonthFacts, lost: int) -> Sentence:
    """Return the sentence on lost customers, with their share if that is the rate of the row."""
    rate, whole = italian.number(facts.row.get("customer_churn_rate")), subscribers_at_start(facts)
    if lost and (not whole or rate != round(lost / whole, rates.PLACES)):
        return counted(letter_texts.LOST_WITHOUT_RATE, lost, "persi")
    parts = italian.integer(lost), italian.integer(whole)
    return counted(letter_texts.LOST, lost, "persi", **_share(facts, rate, "churn-clienti", parts))


def _share(facts: MonthFacts, rate: float | None, number: str, parts: tuple[str, str]) -> dict[str, Piece | str]:
    """Return a rate as a percentage, and its fraction; the fraction alone unless the subscribers are enough."""
    fraction, subscribers = letter_texts.PART_OF.format(part=parts[0], whole=parts[1]), subscribers_at_start(facts)
    if subscribers is None or subscribers < rates.MIN_SUBSCRIBERS:
        return {"rate": Piece(fraction, number), "fraction": ""}
    return {
        "rate": Piece(italian.percent(rate), number),
        "fraction": letter_texts.FRACTION.format(fraction=fraction),
    }


def _count(value: object) -> int | None:
    known = italian.number(value)
    return round(known) if known is not None and known >= 0 else None


def _totals(facts: MonthFacts) -> Sentence:
    values = {name: Piece(italian.integer(facts.row.get(field)), number) for name, (field, number) in LEVELS.items()}
    changes = {f"{name}_change": _change(facts, field) for name, (field, _) in LEVELS.items()}
    if facts.is_partial or italian.DASH in changes.values():
        return sentence(letter_texts.TOTALS, **values)
    return sentence(letter_texts.TOTALS_WITH_CHANGES, **values, **changes)


def _change(facts: MonthFacts, field: str) -> str:
    after, before = (italian.number(row.get(field)) for row in (facts.row, facts.before))
    if after is None or before is None:
        return italian.DASH
    return italian.signed(round(after - before)) if after != before else letter_texts.UNCHANGED


def _sales(facts: MonthFacts) -> Iterator[Sentence]:
    by_plan, mrr = facts.row.get("revenue_by_plan"), cents(facts.row.get("mrr"))
    if isinstance(by_plan, dict) and mrr:
        amounts = {key: cents(one.get("revenue")) or 0 for key, one in by_plan.items() if key in facts.plans}
        key = max(amounts, key=lambda one: (amounts[one], one), default="")
        if key and 0 < amounts[key] <= mrr:
            yield sentence(
                letter_texts.PLAN,
                plan=facts.plans[key],
                amount=Piece(italian.cents(amounts[key]), f"piano.{key}"),
                share=italian.percent(amounts[key] / mrr, 0),
            )
    yield from map(_limited, facts.limited)
    one_time = cents(facts.row.get("one_time_revenue"))
    if one_time:
        yield sentence(letter_texts.ONE_TIME, amount=Piece(italian.cents(one_time), "una-tantum"))


def _limited(sale: LimitedSale) -> Sentence:
    left = italian.plural(letter_texts.LIMITED_LEFT, sale.left) if sale.left else letter_texts.LIMITED_OVER
    return sentence(
        letter_texts.LIMITED, plan=sale.plan, sold=italian.plural(letter_texts.LIMITED_SOLD, sale.sold), left=left
    )


def _rates(facts: MonthFacts) -> Iterator[Sentence]:
    rate = italian.number(facts.row.get("net_revenue_retention"))
    ends, moved = start_and_end(facts), movements(facts.row)
    if rate is not None and ends is not None and moved is not None:
        shown = round(rate, 3)
        tone = "above" if shown > 1 else "below" if shown < 1 else "even"
        retained = ends[1] - moved[MovementKind.NEW]
        parts = italian.cents(retained), italian.cents(ends[0])
        yield sentence(letter_texts.RETENTION[tone], **_share(facts, rate, "retention", parts))
    quick = italian.number(facts.row.get("quick_ratio"))
    if quick is not None:
        yield sentence(letter_texts.QUICK, value=Piece(italian.decimal(quick), "quick-ratio"))
