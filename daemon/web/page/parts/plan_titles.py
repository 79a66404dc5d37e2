"""Names of plans as all pages spell them."""

from collections.abc import Mapping

from rules.model.changes import DocId
from rules.model.states import PlanState
from rules.rows import row
from rules.settings.settings import Settings

Plans = Mapping[DocId, PlanState]


def by_id(plans: Plans, settings: Settings) -> dict[DocId, str]:
    return {plan_id: _title(state, settings) for plan_id, state in plans.items()}


def by_key(plans: Plans, settings: Settings) -> dict[str, str]:
    """Return the names by the keys that rows have."""
    return {row.plan_key(state): _title(state, settings) for state in plans.values()}


def _title(state: PlanState, settings: Settings) -> str:
    return settings.plan_title(state.plan) if state.plan is not None else row.plan_key(state)
