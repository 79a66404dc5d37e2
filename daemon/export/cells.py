"""Conversion of document values to cells: a value of the column's kind, or text. Pure.

Other programs write the documents too: a value of another kind is shown as text, never dropped or guessed.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from bson import Decimal128

from daemon.mongo.id_text import shown_id

Cell = str | int | float | bool | date | datetime | None


class Kind(StrEnum):
    """Kind of a column's values; DAY is a calendar date stored at midnight UTC, INSTANT a point in time."""

    TEXT = "text"
    ID = "id"
    INTEGER = "integer"
    NUMBER = "number"
    MONEY = "money"
    FLAG = "flag"
    DAY = "day"
    INSTANT = "instant"


class Column(NamedTuple):
    """A column: its heading, the kind of its values, and their dotted path in the document."""

    name: str
    kind: Kind
    path: str


def record(document: Mapping[str, Any], columns: tuple[Column, ...]) -> list[Cell]:
    """Return one line of a table."""
    return [cell(_at(document, column.path), column.kind) for column in columns]


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document


def cell(value: Any, kind: Kind) -> Cell:
    """Return the value converted to the column's kind; as text if it is of another kind."""
    if value is None:
        return None
    read = _CONVERT[kind](value)
    return text(value) if read is None else read


def text(value: Any) -> str:
    """Return any value as text: documents and arrays as JSON, others as an id of that value is shown."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=shown_id)
    return str(value) if isinstance(value, str | bool) else shown_id(value)


def _integer(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> int | float | None:
    if isinstance(value, Decimal128):
        value = float(value.to_decimal())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _day(value: Any) -> date | None:
    return value.astimezone(UTC).date() if isinstance(value, datetime) else None


def _instant(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


_CONVERT = {
    Kind.TEXT: lambda value: value if isinstance(value, str) else None,
    Kind.ID: shown_id,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.MONEY: _number,
    Kind.FLAG: _flag,
    Kind.DAY: _day,
    Kind.INSTANT: _instant,
}

FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
"""First characters that make a spreadsheet evaluate a text (OWASP, "CSV Injection"): of a formula, also in full width,
or a control character that hides it."""


def is_formula(value: str) -> bool:
    """Return whether a spreadsheet could evaluate a text; leading spaces do not prevent it."""
    return bool(value) and (value[0] in FORMULA or value.lstrip()[:1] in FORMULA)
