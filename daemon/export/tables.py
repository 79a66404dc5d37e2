"""Columns of each table. Other fields of a row follow the listed columns, sorted by name."""

from collections.abc import Mapping

from daemon.export.cells import Column, Kind
from rules.model.ledger import MovementKind
from rules.revenue.rates import Rates

MRR_KINDS = tuple(kind.value for kind in MovementKind if kind is not MovementKind.NEUTRAL)


def _columns(kind: Kind, *names: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind, name) for name in names)


ROWS: tuple[Column, ...] = (
    Column("date", Kind.DAY, "date"),
    *_columns(Kind.TEXT, "period_type"),
    *_columns(Kind.INTEGER, "total_customers", "paying_customers", "active_licenses"),
    *_columns(Kind.MONEY, "mrr", "arr", "one_time_revenue"),
    *_columns(Kind.INTEGER, "new_customers", "churned_customers", "reactivated_customers", "subscribers"),
    *_columns(Kind.MONEY, "arpa"),
    *_columns(Kind.NUMBER, *Rates._fields),
    *_columns(Kind.INTEGER, "rates_days"),
    *(
        column
        for kind in MRR_KINDS
        for column in (
            Column(f"mrr_{kind}", Kind.MONEY, f"mrr_movements.{kind}.amount"),
            Column(f"mrr_{kind}_count", Kind.INTEGER, f"mrr_movements.{kind}.count"),
        )
    ),
    *_columns(Kind.TEXT, "revenue_by_plan", "notes", "auto_notes"),
    *_columns(Kind.FLAG, "final"),
    *_columns(Kind.INTEGER, "revision"),
    *_columns(Kind.TEXT, "zone"),
    *_columns(Kind.INSTANT, "measured_from", "created_at", "updated_at"),
)

EVENTS: tuple[Column, ...] = (
    *_columns(Kind.INSTANT, "event_date"),
    *_columns(Kind.TEXT, "event_type", "description", "plan_name"),
    *_columns(Kind.MONEY, "amount"),
    *_columns(Kind.TEXT, "currency"),
    Column("customer_name", Kind.TEXT, "metadata.customer_name"),
    *_columns(Kind.ID, "customer_id", "license_id"),
    Column("source", Kind.TEXT, "metadata.source"),
    *_columns(Kind.FLAG, "auto_generated", "processed"),
    *_columns(Kind.TEXT, "metadata"),
    *_columns(Kind.INSTANT, "created_at"),
    Column("id", Kind.ID, "_id"),
)

MOVEMENTS: tuple[Column, ...] = (
    Column("seq", Kind.INTEGER, "_id"),
    *_columns(Kind.INSTANT, "at"),
    *_columns(Kind.DAY, "day"),
    *_columns(Kind.TEXT, "kind", "reason"),
    *_columns(Kind.ID, "customer_id", "license_id", "plan_id"),
    *_columns(
        Kind.INTEGER,
        "count",
        "mrr_cents",
        "one_time_cents",
        "customers",
        "paying_customers",
        "active_licenses",
        "licenses",
    ),
    *(
        Column(f"{side}_{name}", kind, f"{side}.{name}")
        for side in ("before", "after")
        for name, kind in (
            ("plan_id", Kind.ID),
            ("active", Kind.FLAG),
            ("mrr_cents", Kind.INTEGER),
            ("paid", Kind.FLAG),
        )
    ),
    *_columns(Kind.TEXT, "customer_mrr", "cause"),
)

STATE = Column("state", Kind.TEXT, "state")
"""Column of a file for people: in words, what a row is."""

TABLES: Mapping[str, tuple[Column, ...]] = {"rows": ROWS, "events": EVENTS, "movements": MOVEMENTS}

OMITTED = frozenset(("_id", "auto_events", "mrr_movements"))
"""Fields of a row that other columns or the events table contain."""

_BY_TYPES: Mapping[frozenset[str], Kind] = {
    frozenset(("int", "long")): Kind.INTEGER,
    frozenset(("int", "long", "double", "decimal")): Kind.NUMBER,
    frozenset(("bool",)): Kind.FLAG,
    frozenset(("date",)): Kind.INSTANT,
}


def extra_columns(found: Mapping[str, set[str]]) -> tuple[Column, ...]:
    """Return columns for unlisted fields of rows, such as another writer's; `found` has the BSON types by field."""
    listed = {column.path for column in ROWS} | OMITTED
    names = sorted(name for name in found.keys() - listed if "." not in name and name)
    return tuple(Column(name, _kind(found[name]), name) for name in names)


def _kind(types: set[str]) -> Kind:
    held = types - {"null", "missing", "undefined"}
    fitting = (kind for known, kind in _BY_TYPES.items() if held <= known)
    return next(fitting, Kind.TEXT) if held else Kind.TEXT
