"""License documents: parsing, plan and value."""

from collections.abc import Mapping
from datetime import datetime

from rules.model import documents
from rules.model.changes import DocId, Fields, License, LicenseStatus, LicenseValue, Plan
from rules.model.states import PlanState
from rules.revenue.pricing import InvalidDocument, describe
from rules.settings.settings import Settings

_STATUSES = {status.value: status for status in LicenseStatus}


def read_license(fields: Fields, settings: Settings) -> License:
    """Parse a license document. Raise InvalidDocument that names the invalid field."""
    status = fields.get("status")
    if not isinstance(status, str) or status not in _STATUSES:
        wanted = ", ".join(_STATUSES)
        raise InvalidDocument(f"status must be one of {wanted}, got {describe(status)}")
    expires_at = fields.get("expires_at")
    if expires_at is not None and not isinstance(expires_at, datetime):
        raise InvalidDocument(f"expires_at must be a date or null, got {describe(expires_at)}")
    if expires_at is not None and expires_at.tzinfo is None:
        raise InvalidDocument(f"expires_at must be a date with a time zone, got {describe(expires_at)}")
    for name in ("customer_id", "plan_id"):
        if not documents.is_id(fields.get(name)):
            raise InvalidDocument(f"{name} must be an id, got {describe(fields.get(name))}")
    metadata = fields.get("metadata")
    is_manual = isinstance(metadata, Mapping) and metadata.get("source") == settings.manual_source
    return License(fields.get("customer_id"), fields.get("plan_id"), _STATUSES[status], expires_at, is_manual)


def plan_of(license: License, previous: License | None, plans: Mapping[DocId, PlanState]) -> Plan:
    """Return the plan of a license. Raise InvalidDocument while the plan is unknown, held or deleted.

    A license that was on the plan before the plan was deleted keeps the plan's last price.
    """
    state = plans.get(license.plan_id)
    if state is None or (state.plan is None and not state.present):
        raise InvalidDocument(f"plan_id must be the id of an existing plan, got {describe(license.plan_id)}")
    if state.plan is None:
        raise InvalidDocument(f"plan_id refers to plan {license.plan_id}, which is held: {state.held}")
    if not state.present and (previous is None or previous.plan_id != license.plan_id):
        raise InvalidDocument(f"plan_id refers to plan {license.plan_id} ({state.plan.name}), which was deleted")
    return state.plan


def value_of(license: License, plan: Plan, at: datetime) -> LicenseValue:
    """Return the contribution of a license to the totals at the instant `at`."""
    active = license.is_active(at)
    return LicenseValue(plan.id, active, plan.mrr_cents if active else 0, active and plan.price_cents > 0)
