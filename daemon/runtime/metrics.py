"""What Prometheus sees: base units, timestamps instead of ages, label sets complete from the start.

Metrics move after a commit, never inside a transaction that may run twice. docs/metrics.md is made from this file.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rules.handlers.decide import Decision
from rules.model.changes import Change, DocId, Origin, Source
from rules.model.events import EventType
from rules.model.ledger import MovementKind, PlanTotals, Totals
from rules.model.states import PlanState

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
PREFIX = "chatello_analytics"

ROLES = ("starting", "standby", "reconciling", "waiting", "retrying", "leader")
CAUSES = (
    *("first_start", "filter_change", "history_lost", "fatal", "bad_token", "future_token", "event_too_large"),
    *("drop", "rename", "dropDatabase", "invalidate", "requested", "retry"),
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
ROLE = _gauge("role", "1 for what this daemon does at the moment, 0 for everything else.", ("role",))
LEADER = _gauge("leader", "1 while this daemon holds the lease.")
READY = _gauge("ready", "1 while /readyz answers 200: it follows the stream or stands by, and every part gets on.")
HEALTHY = _gauge("healthy", "1 while /healthz answers 200: no part stopped getting on. The watchdog goes by the same.")
RELOADED = _gauge("config_last_reload_successful", "0 while the file read on SIGHUP was wrong and the old one is kept.")

# The stream
STREAM_CONTACT = _gauge("stream_contact_timestamp_seconds", "When the stream last answered.")
STREAM_TOKEN = _gauge("stream_token_timestamp_seconds", "Cluster time of the newest position heard.")
CHECKPOINT = _gauge("checkpoint_timestamp_seconds", "Cluster time of the committed position.")
CLUSTER = _gauge("cluster_timestamp_seconds", "Newest cluster time the server told: the head of its oplog, about.")
RESTARTS = _counter("stream_restarts_total", "Times the stream was opened anew, by reason.", ("reason",))
GAPS = _gauge("gaps_open", "Discontinuities of the stream that are not closed yet.")
GAPS_RECORDED = _counter("gaps_total", "Discontinuities of the stream that were recorded, by cause.", ("cause",))
RECOVERED = _counter("recovered_total", "Differences that reconciliations found and committed.", ("collection",))
DEAD_LETTERS = _gauge("dead_letters", "Documents held because they could not be understood; looked at every minute.")

# What was committed
CHANGES = _counter("changes_total", "Source changes committed, by collection.", ("collection",))
EVENTS = _counter("events_total", "Business events written, by type.", ("type",))
LAST_EVENT = _gauge("event_timestamp_seconds", "When the newest business event written happened.")
MOVEMENTS = _counter("movements_total", "Ledger movements written, by kind.", ("kind",))
MOVED = _counter(
    "mrr_moved_euros_total", "MRR that ledger movements moved, by kind; the sign is the kind's.", ("kind",)
)
COMMITS = _counter("commits_total", "Transactions committed.")
RETRIES = _counter("commit_retries_total", "Times a transaction had to be run again before it was committed.")
COMMIT_SECONDS = _histogram("commit_seconds", "Duration of a commit.", SECONDS)
DELAY = _histogram(
    "change_delay_seconds", "Age of a batch's oldest change, by the server's clock, at its commit.", DELAY_SECONDS
)

# The bell: days, proof, jobs
ROLLUP = _gauge("rollup_success_timestamp_seconds", "When the last owed rows were last found or made complete.")
ROWS_OWED = _gauge("rows_owed", "Business days and months that still lack their final row.")
ROWS = _counter("rows_total", "Rows of historical_analytics written: today's live row, and final ones.", ("row",))
PROOF = _gauge("proof_success_timestamp_seconds", "When ledger, running totals and source were last found equal.")
PROOF_MISMATCHES = _gauge("proof_mismatches", "Numbers that differed in the last proof; 0 when it held.")
BELL = _gauge("bell_timestamp_seconds", "When the scheduler last looked whether something is due.")
JOBS = _counter("jobs_total", "Runs of scheduled jobs, by outcome.", ("task", "outcome"))
JOB_SECONDS = _gauge("job_duration_seconds", "Duration of a scheduled job's last run.", ("task",))

# The doors
COMMANDS = _counter("mongodb_commands_total", "Commands MongoDB answered.", ("command",))
COMMAND_FAILURES = _counter(
    "mongodb_command_failures_total", "Commands MongoDB refused or never answered.", ("command",)
)
HTTP_REQUESTS = _counter("http_requests_total", "HTTP requests answered.", ("route", "method", "code"))
HTTP_SECONDS = _histogram("http_response_seconds", "Time until an HTTP answer began.", SECONDS, ("route",))
LISTENERS = _gauge("http_stream_clients", "Clients that listen to events as they are written.")


class PlanShown(NamedTuple):
    """One plan's sums, and how many licences are left where they are limited."""

    sums: PlanTotals
    left: int | None


class Business(Collector):
    """The shop as of the last commit. Only the leader shows it: a standby knows nothing, and nothing is not zero."""

    def __init__(self) -> None:
        self.totals: Totals | None = None
        self.plans: Mapping[DocId, PlanState] = {}

    def show(self, totals: Totals, plans: Mapping[DocId, PlanState]) -> None:
        """What the next scrape will tell; both are read then, and never changed."""
        self.totals, self.plans = totals, plans

    def hide(self) -> None:
        """Tell nothing until shown again: somebody else leads."""
        self.totals = None

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
        paying = "Customers with an active licence that costs something."
        yield _family("customers", "Customers.", totals.customers)
        yield _family("paying_customers", paying, totals.paying_customers)
        yield _family("subscribers", "Customers with MRR.", totals.subscribers)
        yield _family("active_licenses", "Active licences.", totals.active_licenses)
        yield _family("mrr_euros", "Monthly recurring revenue.", totals.mrr_cents / 100)
        yield _family("one_time_revenue_euros", "Lifetime sales since the ledger began.", totals.one_time_cents / 100)
        sums = {name: plan.sums for name, plan in plans.items()}
        yield _by_plan("plan_licenses", "Licences of a plan, of any status.", {n: s.licenses for n, s in sums.items()})
        yield _by_plan("plan_active_licenses", "Active licences of a plan.", {n: s.active for n, s in sums.items()})
        yield _by_plan("plan_mrr_euros", "MRR of a plan.", {n: s.mrr_cents / 100 for n, s in sums.items()})
        left = {name: plan.left for name, plan in plans.items() if plan.left is not None}
        yield _by_plan("plan_licenses_left", "Licences left to sell of a limited plan, such as founders.", left)


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


def committed(decision: Decision, changes: Sequence[Change], now: datetime) -> None:
    """Count one commit; `now` is this machine's clock, for the age of the oldest change."""
    COMMITS.inc()
    for source, count in Tally(change.source for change in changes if change.source is not Source.CLOCK).items():
        CHANGES.labels(source.value).inc(count)
    if changes and changes[0].origin is Origin.STREAM:
        DELAY.observe(max(0.0, (now - changes[0].at).total_seconds()))
    if decision.events:
        LAST_EVENT.set(max(event.at for event in decision.events).timestamp())
    for kind, count in Tally(event.type for event in decision.events).items():
        EVENTS.labels(kind.value).inc(count)
    _count_movements(decision)


def _count_movements(decision: Decision) -> None:
    lines: Tally[MovementKind] = Tally()
    cents: Tally[MovementKind] = Tally()
    for movement in decision.movements:
        if movement.count >= 0:  # counters only rise: what is taken back was counted
            lines[movement.kind] += movement.count
            cents[movement.kind] += movement.mrr_cents
    for kind, count in lines.items():
        MOVEMENTS.labels(kind.value).inc(count)
        MOVED.labels(kind.value).inc(abs(cents[kind]) / 100)


def value(gauge: Gauge) -> float:
    """What a gauge without labels stands at."""
    return next(iter(gauge.collect())).samples[0].value


def watch(role: Callable[[], str], is_healthy: Callable[[], bool], is_ready: Callable[[], bool]) -> None:
    """Ask at every scrape what this daemon does, and whether it gets on."""
    HEALTHY.set_function(is_healthy)
    READY.set_function(is_ready)
    for name in ROLES:
        ROLE.labels(name).set_function(partial(_is, role, name))


def _is(role: Callable[[], str], name: str) -> bool:
    return role() == name
