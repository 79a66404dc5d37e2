"""Prometheus metrics: base units, timestamps instead of ages, label sets complete from the start.

Metrics change after a commit, never inside a transaction that may run twice. docs/metrics.md is generated from this
file.
"""

import math
from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon import clock
from daemon.runtime.health import Health, Instant
from rules.insights.todo import TodoKind
from rules.model.changes import Change, DocId, Origin, Source
from rules.model.decision import Decision
from rules.model.events import EventType
from rules.model.ledger import MovementKind, PlanTotals, Totals
from rules.model.states import PlanState
from rules.revenue import rates
from rules.rows import number_values

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
PREFIX = "chatello_analytics"

ROLES = ("starting", "standby", "reconciling", "waiting", "retrying", "leader")
CAUSES = (
    *(
        "first_start",
        "upgrade",
        "filter_change",
        "history_lost",
        "fatal",
        "bad_token",
        "future_token",
        "event_too_large",
    ),
    *("drop", "rename", "dropDatabase", "invalidate", "mass_deletion", "requested", "retry"),
)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
DELAY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)


def _counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
    return Counter(f"{PREFIX}_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
    return Gauge(f"{PREFIX}_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
    return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=REGISTRY)


# The process
BUILD = Info(f"{PREFIX}_build", "Version of the daemon.", registry=REGISTRY)
ROLE = _gauge("role", "1 for the current role of this daemon, 0 for all other roles.", ("role",))
LEADER = _gauge("leader", "1 while this daemon holds the lease.")
READY = _gauge(
    "ready", "1 while /readyz answers 200: leader with a renewed lease or standby, and all components make progress."
)
HEALTHY = _gauge(
    "healthy", "1 while all components make progress (same condition as /healthz and the systemd watchdog)."
)
RELOADED = _gauge(
    "config_last_reload_successful",
    "1 if the last configuration reload succeeded, 0 if it failed and the previous configuration is in force.",
)

# The stream
STREAM_CONTACT = _gauge("stream_contact_timestamp_seconds", "Unix time of the last reply of the change stream.")
STREAM_TOKEN = _gauge(
    "stream_token_timestamp_seconds", "Unix time (cluster time) of the newest position received from the change stream."
)
CHECKPOINT = _gauge("checkpoint_timestamp_seconds", "Unix time (cluster time) of the committed position.")
CLUSTER = _gauge(
    "cluster_timestamp_seconds",
    "Unix time of the newest cluster time seen in a server reply (approximates the oplog head).",
)
RESTARTS = _counter("stream_restarts_total", "Total number of change stream restarts, by reason.", ("reason",))
GAPS = _gauge("gaps_open", "Number of gaps in the change stream that are not closed, refreshed every minute.")
GAPS_RECORDED = _counter("gaps_total", "Total number of gaps recorded in the change stream, by cause.", ("cause",))
RECOVERED = _counter(
    "recovered_total",
    "Total number of differences found and committed by reconciliations, by collection.",
    ("collection",),
)
DEAD_LETTERS = _gauge("dead_letters", "Number of held documents (dead letters), refreshed every minute.")
TODO = _gauge(
    "todo",
    "Number of failed payments, expiring licenses, lost customers and customers without a license that the page lists "
    "as to do today, by kind, at most 200 except the licenses, refreshed every ten minutes.",
    ("kind",),
)

# Commits
CHANGES = _counter("changes_total", "Total number of source changes committed, by collection.", ("collection",))
EVENTS = _counter("events_total", "Total number of business events written, by type.", ("type",))
LAST_EVENT = _gauge("event_timestamp_seconds", "Unix time of the newest business event written.")
MOVEMENTS = _counter("movements_total", "Total number of ledger movements written, by kind.", ("kind",))
MOVED = _counter(
    "mrr_moved_euros_total",
    "Total MRR of the ledger movements in euros, by kind; always positive, the kind implies the sign.",
    ("kind",),
)
COMMITS = _counter("commits_total", "Total number of transactions committed.")
RETRIES = _counter("commit_retries_total", "Total number of transaction retries before a commit.")
COMMIT_SECONDS = _histogram("commit_seconds", "Duration of a commit in seconds.", SECONDS)
DELAY = _histogram(
    "change_delay_seconds",
    "Age in seconds of the oldest change of a batch at its commit (server time of the write to local time).",
    DELAY_SECONDS,
)

# Scheduler: days, verification, jobs
ROLLUP = _gauge("rollup_success_timestamp_seconds", "Unix time of the last run that left no due row missing.")
ROWS_MISSING = _gauge("rows_missing", "Number of business days and months without a final row.")
ROWS = _counter(
    "rows_total", "Total number of historical_analytics rows written, by row (live: today, final: closed).", ("row",)
)
VERIFICATION = _gauge(
    "verification_success_timestamp_seconds",
    "Unix time of the last verification that found ledger, running totals and source equal.",
)
VERIFICATION_MISMATCHES = _gauge("verification_mismatches", "Number of mismatches found by the last verification.")
SCHEDULER_TICK = _gauge("scheduler_last_tick_timestamp_seconds", "Unix time of the last tick of the scheduler.")
JOBS = _counter("jobs_total", "Total number of scheduled job runs, by task and outcome.", ("task", "outcome"))
JOB_SECONDS = _gauge("job_duration_seconds", "Duration of the last run of a scheduled job in seconds.", ("task",))

# Delivery
DELIVERIES = _counter(
    "deliveries_total",
    "Total number of attempts to deliver (delivered, failed, parked) and of commits lost to keep_days (dropped).",
    ("target", "outcome"),
)
DELIVERY_WAITING = _gauge(
    "delivery_waiting", "Number of commits that a target has not received yet, at most 10,000.", ("target",)
)
DELIVERY_OLDEST = _gauge(
    "delivery_oldest_timestamp_seconds",
    "Unix time of the oldest commit that waits for a target, or of the beginning of its failure; 0 if there is "
    "neither, or if its message is not due yet.",
    ("target",),
)
DELIVERY_STATE = _gauge("delivery_state", "1 for the current state of a target, 0 for the others.", ("target", "state"))
DELIVERY_SECONDS = _histogram(
    "delivery_seconds", "Time in seconds from a commit to its receipt by a webhook.", DELAY_SECONDS
)

# MongoDB and HTTP
COMMANDS = _counter("mongodb_commands_total", "Total number of commands answered by MongoDB.", ("command",))
COMMAND_FAILURES = _counter(
    "mongodb_command_failures_total", "Total number of MongoDB commands that failed or got no reply.", ("command",)
)
HTTP_REQUESTS = _counter("http_requests_total", "Total number of HTTP requests answered.", ("route", "method", "code"))
HTTP_SECONDS = _histogram(
    "http_response_seconds", "Time until the start of an HTTP response in seconds.", SECONDS, ("route",)
)
LISTENERS = _gauge("http_stream_clients", "Number of clients connected to the live event stream.")

INSTANTS = {
    Instant.CLUSTER: CLUSTER,
    Instant.STREAM: STREAM_TOKEN,
    Instant.CHECKPOINT: CHECKPOINT,
    Instant.EVENT: LAST_EVENT,
    Instant.ROLLUP: ROLLUP,
    Instant.VERIFICATION: VERIFICATION,
}


RATES = {
    "customer_churn_ratio": (
        "customer_churn_rate",
        "Customers that churned in the last 30 days as a share of the subscribers before.",
    ),
    "revenue_churn_ratio": (
        "revenue_churn_rate",
        "MRR lost by churn and contraction in the last 30 days as a share of the MRR before.",
    ),
    "net_revenue_retention_ratio": (
        "net_revenue_retention",
        "MRR kept in the last 30 days, with expansion and reactivation, as a share of the MRR before.",
    ),
    "gross_revenue_retention_ratio": (
        number_values.GROSS_RETENTION,
        "MRR kept in the last 30 days, without expansion and reactivation, as a share of the MRR before.",
    ),
    "quick_ratio": ("quick_ratio", "MRR won in the last 30 days divided by the MRR lost."),
}
"""Field of today's row and help text of each rate."""
UNKNOWN_RATE = "From today's row; NaN while the ledger is younger or the divisor is 0."


class PlanShown(NamedTuple):
    """Sums of one plan, and the number of licenses left to sell; None if the plan is not limited."""

    sums: PlanTotals
    left: int | None


class Business(Collector):
    """Business totals as of the last commit. Only the leader exports them, because a standby does not know them."""

    def __init__(self) -> None:
        self.totals: Totals | None = None
        self.plans: Mapping[DocId, PlanState] = {}
        self.row: Mapping[str, Any] = {}

    def show(self, totals: Totals, plans: Mapping[DocId, PlanState]) -> None:
        """Export these values from the next scrape on. They are read at the scrape and must not be modified."""
        self.totals, self.plans = totals, plans

    def show_rates(self, row: Mapping[str, Any]) -> None:
        """Export the rates of today's row from the next scrape on."""
        self.row = row

    def hide(self) -> None:
        """Stop exporting business metrics until `show` is called again (this instance is no longer the leader)."""
        self.totals, self.row = None, {}

    def describe(self) -> Iterator[Metric]:
        return self._families(Totals(), {})

    def collect(self) -> Iterator[Metric]:
        if self.totals is not None:
            yield from self._families(self.totals, self._by_name(self.totals))

    def _by_name(self, totals: Totals) -> dict[str, PlanShown]:
        found: dict[str, PlanShown] = {}
        states = dict(self.plans)
        on_sale = {plan_id for plan_id, state in states.items() if state.present}
        for plan_id in [*totals.by_plan, *(on_sale - totals.by_plan.keys())]:
            state, sums = states.get(plan_id), totals.by_plan.get(plan_id, PlanTotals())
            plan = state.plan if state else None
            left = None if plan is None or plan.limit is None else max(0, plan.limit - sums.licenses)
            name = plan.name if plan else str(plan_id)
            found[name if name not in found else f"{name} ({plan_id})"] = PlanShown(sums, left)
        return found

    def _families(self, totals: Totals, plans: Mapping[str, PlanShown]) -> Iterator[Metric]:
        paying = "Number of customers with at least one active license with a price."
        sold_once = "Revenue of lifetime sales since the start of the ledger in euros."
        yield _family("customers", "Number of customers.", totals.customers)
        yield _family("paying_customers", paying, totals.paying_customers)
        yield _family("subscribers", "Number of customers with MRR.", totals.subscribers)
        yield _family("active_licenses", "Number of active licenses.", totals.active_licenses)
        yield _family("mrr_euros", "Monthly recurring revenue in euros.", totals.mrr_cents / 100)
        yield _family("one_time_revenue_euros", sold_once, totals.one_time_cents / 100)
        arpa = rates.arpa(totals.mrr_cents, totals.subscribers)
        yield _family("arpa_euros", "MRR per subscriber in euros; NaN without subscribers.", _known(arpa))
        for name, (field, text) in RATES.items():
            yield _family(name, f"{text} {UNKNOWN_RATE}", _known(number_values.value(self.row, field)))
        sums = {name: plan.sums for name, plan in plans.items()}
        issued = "Number of licenses of a plan, of any status."
        active = "Number of active licenses of a plan."
        mrr = "Monthly recurring revenue of a plan in euros."
        yield _by_plan("plan_licenses", issued, {n: s.licenses for n, s in sums.items()})
        yield _by_plan("plan_active_licenses", active, {n: s.active for n, s in sums.items()})
        yield _by_plan("plan_mrr_euros", mrr, {n: s.mrr_cents / 100 for n, s in sums.items()})
        left = {name: plan.left for name, plan in plans.items() if plan.left is not None}
        yield _by_plan("plan_licenses_left", "Number of licenses left to sell of a limited plan.", left)


def _known(number: float | None) -> float:
    return math.nan if number is None else number


def _family(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


def _by_plan(name: str, text: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=["plan"])
    for plan, value in values.items():
        family.add_metric([plan], value)
    return family


BUSINESS = Business()
REGISTRY.register(BUSINESS)
ProcessCollector(registry=REGISTRY)

BUILD.info({"version": version("chatello-analytics")})
RELOADED.set(1)
for _source in (Source.CUSTOMERS, Source.LICENSES, Source.PLANS, Source.PAYMENTS, Source.EVENTS, Source.CUSTOM):
    CHANGES.labels(_source.value)
for _source in (Source.CUSTOMERS, Source.LICENSES, Source.PLANS, Source.PAYMENTS):
    RECOVERED.labels(_source.value)
for _kind in EventType:
    EVENTS.labels(_kind.value)
for _movement in MovementKind:
    MOVEMENTS.labels(_movement.value)
    MOVED.labels(_movement.value)
for _reason in ("network", "history", "lease", "rules", "snapshot"):
    RESTARTS.labels(_reason)
for _cause in CAUSES:
    GAPS_RECORDED.labels(_cause)
for _row in ("live", "final"):
    ROWS.labels(_row)
for _todo in TodoKind:
    TODO.labels(_todo.value)


def committed(decision: Decision, changes: Sequence[Change], now: datetime) -> None:
    """Count one commit. `now` is the local time, used for the age of the oldest change."""
    COMMITS.inc()
    for source, count in Tally(change.source for change in changes if change.source is not Source.CLOCK).items():
        CHANGES.labels(source.value).inc(count)
    if changes and changes[0].origin is Origin.STREAM:
        DELAY.observe(max(0.0, (now - changes[0].at).total_seconds()))
    for kind, count in Tally(event.type for event in decision.events).items():
        EVENTS.labels(kind.value).inc(count)
    _count_movements(decision)


def _count_movements(decision: Decision) -> None:
    lines: Tally[MovementKind] = Tally()
    cents: Tally[MovementKind] = Tally()
    for movement in decision.movements:
        if movement.count >= 0:  # counters never decrease: a reversal stays counted
            lines[movement.kind] += movement.count
            cents[movement.kind] += movement.mrr_cents
    for kind, count in lines.items():
        MOVEMENTS.labels(kind.value).inc(count)
        MOVED.labels(kind.value).inc(abs(cents[kind]) / 100)


def watch(health: Health) -> None:
    """Export role, readiness and progress times from `health`, read at every scrape."""
    HEALTHY.set_function(lambda: not health.stalled(clock.monotonic()))
    READY.set_function(lambda: not health.not_ready(clock.monotonic()))
    VERIFICATION_MISMATCHES.set_function(lambda: health.mismatches)
    for name in ROLES:
        ROLE.labels(name).set_function(partial(_is_role, health, name))
    for instant, gauge in INSTANTS.items():
        gauge.set_function(partial(health.at, instant))


def _is_role(health: Health, name: str) -> bool:
    return health.role == name
