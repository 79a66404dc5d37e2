"""Pages of docs/ that are made from the code. `python -m tests.pages` (make pages) writes them; a test compares."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

from daemon.runtime import metrics
from tests import boards

DOCS = Path(__file__).parent.parent / "docs"
DASHBOARDS = DOCS.parent / "deploy" / "grafana" / "dashboards"

HEAD = """# Metrics

Generated from `daemon/runtime/metrics.py` by `make pages`; a test keeps it up to date. `/metrics` serves them in the
Prometheus text format on `http.host:http.port` (127.0.0.1:5013). Times are Unix timestamps: age = `time() - metric`.
No label contains an id, a customer's name or an e-mail address. Label sets are complete from the start, except for
commands, routes and plans.

The business metrics (customers to `plan_licenses_left`) are shown by the leader alone: a standby daemon exports none of
them. So `max by (job) (chatello_analytics_mrr_euros)` is the shop's, however many daemons run.

[deploy/prometheus](../deploy/prometheus/) scrapes, records and alerts; [deploy/grafana](../deploy/grafana/) draws.

| metric | type | labels | what it says |
| --- | --- | --- | --- |
"""

TAIL = """
Every one of them is on a panel of a dashboard, but for:

"""


def families() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name, type, labels and text of every metric there is, in the order they are declared."""
    for declared in vars(metrics).values():
        if isinstance(declared, MetricWrapperBase):
            name, kind = _named(declared._name, str(declared._type)), str(declared._type)
            yield name, kind, tuple(declared._labelnames), declared._documentation
    for family in metrics.BUSINESS.describe():
        yield family.name, family.type, tuple(getattr(family, "_labelnames", ())), family.documentation
    for family in ProcessCollector(registry=None).collect():
        yield _named(family.name, family.type), family.type, (), family.documentation


def _named(name: str, kind: str) -> str:
    """As it stands in /metrics."""
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
        (DASHBOARDS / file).write_text(boards.written(file))
