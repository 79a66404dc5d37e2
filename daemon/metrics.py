"""What Prometheus sees: base units, timestamps instead of ages, label sets complete from the start.

Metrics move after a commit, never inside a transaction that may run twice.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from rules.model import EventType, Source, Totals

REGISTRY = CollectorRegistry()
PREFIX = "chatello_analytics"


def _counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
    return Counter(f"{PREFIX}_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
    return Gauge(f"{PREFIX}_{name}", text, labels, registry=REGISTRY)


BUILD = Info(f"{PREFIX}_build", "Version of the daemon.", registry=REGISTRY)
CHANGES = _counter("changes_total", "Source changes committed, by collection.", ("collection",))
EVENTS = _counter("events_total", "Business events written, by type.", ("type",))
MOVEMENTS = _counter("movements_total", "Ledger movements written.")
COMMITS = _counter("commits_total", "Transactions committed.")
COMMIT_SECONDS = Histogram(f"{PREFIX}_commit_seconds", "Duration of a commit.", registry=REGISTRY)
RESTARTS = _counter("stream_restarts_total", "Times the stream was opened anew, by reason.", ("reason",))
GAPS = _gauge("gaps_open", "Discontinuities of the stream that are not closed yet.")
GAPS_RECORDED = _counter("gaps_total", "Discontinuities of the stream that were recorded.")
DEAD_LETTERS = _gauge("dead_letters", "Documents held because they could not be understood.")
STREAM_CONTACT = _gauge("stream_contact_timestamp_seconds", "When the stream last answered.")
STREAM_TOKEN = _gauge("stream_token_timestamp_seconds", "Cluster time of the newest position heard.")
CHECKPOINT = _gauge("checkpoint_timestamp_seconds", "Cluster time of the committed position.")
RELOADED = _gauge("config_last_reload_successful", "0 while the file read on SIGHUP was wrong and the old one is kept.")
LEADER = _gauge("leader", "1 while this daemon holds the lease.")
ROLLUP = _gauge("rollup_success_timestamp_seconds", "When the last owed rows were last found or made complete.")
PROOF = _gauge("proof_success_timestamp_seconds", "When ledger, running totals and source were last found equal.")
PROOF_MISMATCHES = _gauge("proof_mismatches", "Numbers that differed in the last proof; 0 when it held.")
DAYS_OWED = _gauge("rollup_days_owed", "Business days that still lack their final row.")
CUSTOMERS = _gauge("customers", "Customers.")
PAYING_CUSTOMERS = _gauge("paying_customers", "Customers with an active licence that costs something.")
ACTIVE_LICENSES = _gauge("active_licenses", "Active licences.")
MRR = _gauge("mrr_euros", "Monthly recurring revenue.")
ONE_TIME = _gauge("one_time_revenue_euros", "Lifetime sales since the ledger began.")

RELOADED.set(1)
for _source in (Source.CUSTOMERS, Source.LICENSES, Source.PLANS, Source.CUSTOM):
    CHANGES.labels(_source.value)
for _kind in EventType:
    EVENTS.labels(_kind.value)
for _reason in ("network", "history", "lease", "error"):
    RESTARTS.labels(_reason)


def show_totals(totals: Totals) -> None:
    """The business itself, as of the last commit."""
    CUSTOMERS.set(totals.customers)
    PAYING_CUSTOMERS.set(totals.paying_customers)
    ACTIVE_LICENSES.set(totals.active_licenses)
    MRR.set(totals.mrr_cents / 100)
    ONE_TIME.set(totals.one_time_cents / 100)
