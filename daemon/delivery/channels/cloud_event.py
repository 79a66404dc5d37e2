"""Facts as CloudEvents 1.0 in JSON: the body of a webhook request. docs/delivery.md describes the fields."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any, NamedTuple

from daemon.mongo.id_text import shown_id
from rules.model.facts import Difference, ErasureFact, EventFact, Fact, GapFact, RowFact

TYPE_PREFIX = "it.chatello."
_HEADER_SAFE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class Names(NamedTuple):
    """The name of the customer of an event and the event's text, for receivers that may have them."""

    customer_name: str = ""
    text: str = ""


def message_id(fact: Fact) -> str:
    """Return the fact's id as it is sent; an id that an HTTP header cannot carry is replaced by its hash.

    Such an id is possible, because any program may write external events and choose their `_id`.
    """
    return (
        fact.id
        if _HEADER_SAFE.fullmatch(fact.id)
        else hashlib.sha256(fact.id.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    )


def body(fact: Fact, database: str, zone: tzinfo, names: Names | None = None) -> bytes:
    """Return the JSON of a fact. `zone` is that of the business day. Absent values are left out."""
    data = _data(fact, zone) | (_present(**names._asdict()) if names else {})
    event = {
        "specversion": "1.0",
        "id": message_id(fact),
        "source": f"/chatello-analytics/{database}",
        "type": TYPE_PREFIX + fact.type,
        "subject": _subject(fact),
        "time": _instant(fact.time),
        "datacontenttype": "application/json",
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def _subject(fact: Fact) -> str:
    match fact.subject:
        case EventFact(license_id=id) if id is not None:
            return f"license/{shown_id(id)}"
        case EventFact(customer_id=id) | ErasureFact(customer_id=id) if id is not None:
            return f"customer/{shown_id(id)}"
        case EventFact(reference=id):
            return f"event/{shown_id(id)}"
        case GapFact(reference=id):
            return f"gap/{shown_id(id)}"
        case RowFact(day=day, month=month):
            return f"month/{day:%Y-%m}" if month else f"day/{day}"
        case _:
            return ""


def _data(fact: Fact, zone: tzinfo) -> dict[str, Any]:
    match fact.subject:
        case EventFact() as event:
            return _event(event, fact.time.astimezone(zone).date())
        case RowFact() as row:
            return _row(row)
        case GapFact() as gap:
            return _gap(gap)
        case ErasureFact() as erasure:
            return {"customer_id": shown_id(erasure.customer_id)}


def _event(event: EventFact, day: date) -> dict[str, Any]:
    return _present(
        event_type=str(event.type),
        day=str(day),
        customer_id=_optional_id(event.customer_id),
        license_id=_optional_id(event.license_id),
        plan=event.plan_name,
        amount_cents=event.amount_cents,
        currency=None if event.amount_cents is None else event.currency,
        metadata=_finite(event.metadata) or None,
        recovered=event.recovered,
    )


def _row(row: RowFact) -> dict[str, Any]:
    period = {"month": f"{row.day:%Y-%m}"} if row.month else {"day": str(row.day)}
    return period | _present(revision=row.revision, changes=[_change(one) for one in row.changes] or None)


def _change(difference: Difference) -> dict[str, Any]:
    return {"field": difference.field} | _finite({"before": difference.before, "after": difference.after})


def _gap(gap: GapFact) -> dict[str, Any]:
    return _present(
        gap_id=shown_id(gap.reference),
        cause=gap.cause,
        since=gap.since and _instant(gap.since),
        until=gap.until and _instant(gap.until),
        recovered=dict(gap.recovered) or None,
        missing=dict(gap.missing) or None,
    )


def _optional_id(value: object) -> str | None:
    return None if value is None else shown_id(value)


def _finite(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """Return the numbers that JSON has a form for."""
    return {name: number for name, number in numbers.items() if number is not None and math.isfinite(number)}


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
