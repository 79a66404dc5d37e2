"""Prometheus metrics: base units, timestamps instead of ages, label sets complete from the start.

Metrics change after a commit, never inside a transaction that may run twice. docs/metrics.md is generated from this
file and `business_metrics.py`.
"""

from collections import Counter as Tally
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from daemon import clock
from daemon.runtime.health import Health, Instant
from rules.insights.todo import TodoKind
from rules.model.changes import Change, Origin, Source
from rules.model.decision import Decision
from rules.model.events import EventType
from rules.model.ledger import MovementKind

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
