"""Handler of plan changes: read the plan, keep its former names, request a revaluation of its licenses."""

from rules.handlers.batch import Batch
from rules.model import documents
from rules.model.changes import Change, Fields, Operation, Plan, Source
from rules.model.decision import Revaluation
from rules.model.states import FormerName, PlanState
from rules.revenue import pricing
from rules.revenue.pricing import InvalidDocument


def apply_plan(batch: Batch, change: Change) -> None:
    before = batch.plans.get(change.id)
    if change.op is Operation.DELETE:
        _delete_plan(batch, change, before)
        return
    fields = documents.after(before.fields if before else None, change)
    after = _read_plan(batch, change, before, documents.updated({}, change) if fields is None else fields)
    after.former = _former_names(before, after, change)
    batch.set_plan(after)
    if after.plan is not None and (before is None or _prices_changed(before, after.plan)):
        batch.decision.revaluations.append(Revaluation(change.id, change.at, change.cause, change.origin))


def _delete_plan(batch: Batch, change: Change, before: PlanState | None) -> None:
    """Mark a plan as deleted; keep its last price for the licenses on it."""
    if before is None:
        return
    if before.held:
        batch.release(Source.PLANS, change.id)
    batch.set_plan(PlanState(change.id, before.fields, before.plan, present=False, former=before.former))


def _read_plan(batch: Batch, change: Change, before: PlanState | None, fields: Fields) -> PlanState:
    try:
        plan = pricing.read_plan(change.id, fields, batch.settings.rates)
    except InvalidDocument as problem:
        batch.hold(change, fields, str(problem))
        return PlanState(change.id, fields, before.plan if before else None, held=str(problem))
    if before is not None and before.held:
        batch.release(Source.PLANS, change.id)
    return PlanState(change.id, fields, plan)


def _former_names(before: PlanState | None, after: PlanState, change: Change) -> tuple[FormerName, ...]:
    """Return the former names; append the previous name if the name changed."""
    if before is None or before.plan is None or after.plan is None or before.plan.name == after.plan.name:
        return before.former if before else ()
    return (*before.former, FormerName(before.plan.name, change.at))


def _prices_changed(before: PlanState, plan: Plan) -> bool:
    """Return whether the value of licenses on the plan may have changed, or licenses may be held because of it."""
    if before.plan is None or not before.present:
        return True
    return (before.plan.price_cents, before.plan.mrr_cents) != (plan.price_cents, plan.mrr_cents)
