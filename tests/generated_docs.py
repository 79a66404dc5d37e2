"""Generated docs and dashboards: `python -m tests.generated_docs` (make pages) writes them, a test compares them."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

from daemon.runtime import metrics
from daemon.runtime.business_metrics import BUSINESS
from tests import boards

DOCS = Path(__file__).parent.parent / "docs"
DASHBOARDS = DOCS.parent / "deploy" / "grafana" / "dashboards"

HEAD = """# Metrics

Generated from `daemon/runtime/metrics.py` and `business_metrics.py` by `make pages`; a test keeps it up to date.

`/metrics` serves the metrics in the Prometheus text format on `http.host:http.port`
(127.0.0.1:5013). Timestamps are Unix times; the age is `time() - metric`. No label contains an id,
a customer's name or an e-mail address. All label sets are exported from the start, except for
commands, routes and plans.

Only the leader exports the business metrics (`customers` to `plan_licenses_left`); a standby
exports none of them. So `max by (job) (chatello_analytics_mrr_euros)` is correct for any number of
daemons.

Scrape configuration, recording rules and alerts: [deploy/prometheus](../deploy/prometheus/).
Dashboards: [deploy/grafana](../deploy/grafana/).

| metric | type | labels | description |
| --- | --- | --- | --- |
"""

TAIL = """
Each metric is on a dashboard panel, except:

"""


def families() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Yield name, type, labels and help text of every metric, in the order of declaration."""
    for declared in vars(metrics).values():
        if isinstance(declared, MetricWrapperBase):
            name, kind = _named(declared._name, str(declared._type)), str(declared._type)
            yield name, kind, tuple(declared._labelnames), declared._documentation
    for family in BUSINESS.describe():
        yield family.name, family.type, tuple(getattr(family, "_labelnames", ())), family.documentation
    for family in ProcessCollector(registry=None).collect():
        yield _named(family.name, family.type), family.type, (), family.documentation


def _named(name: str, kind: str) -> str:
    """Return the name as exported on /metrics."""
    return name + {"counter": "_total", "info": "_info"}.get(kind, "")


def metrics_page() -> str:
    lines = (
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {text} |\n"
        for name, kind, labels, text in families()
    )
    hidden = "".join(f"- `{name}`: {why}\n" for name, why in boards.NOT_SHOWN.items())
    return HEAD + "".join(lines).replace("|  |", "| |") + TAIL + hidden


PAGES = {"metrics.md": metrics_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (DOCS / file).write_text(page())
    for file in boards.BOARDS:
        (DASHBOARDS / file).write_text(boards.rendered(file))
