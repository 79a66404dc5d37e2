"""The operator's dashboard: health, lag and load of the daemon."""

from grafana_foundation_sdk.builders import dashboard

from daemon.runtime.metrics import ROLES
from tests.boards import delivery, panels, work
from tests.boards.panels import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, ZERO_IS_GOOD, age, led, of, quantile

STATES = dict(zip(range(len(ROLES)), zip(ROLES, (GREY, BLUE, PURPLE, ORANGE, RED, GREEN), strict=True), strict=True))
YES_NO = {1: ("yes", GREEN), 0: ("no", RED)}


def board() -> dashboard.Dashboard:
    made = panels.board(
        "Chatello · Daemon",
        "chatello-analytics-daemon",
        "Health, lag and resource usage of chatello-analytics. Alerts: docs/runbook.md.",
        "now-6h",
        "30s",
    )
    rows = {
        "Health": _health(),
        "Change stream": _stream(),
        "Commits and events": work.commits(),
        "Scheduled jobs": work.day(),
        "Deliveries": delivery.deliveries(),
        "MongoDB and HTTP": work.interfaces(),
        "Process": work.process(),
    }
    for title, row in rows.items():
        made.with_row(dashboard.Row(title))
        for panel in row:
            made.with_panel(panel)
    return made


def _health() -> list[panels.Panel]:
    numbered = " or ".join(f"({of('role', role=role)} == 1) * {n}" for n, role in enumerate(ROLES))
    lag = f"clamp_min({of('cluster_timestamp_seconds')} - {of('checkpoint_timestamp_seconds')}, 0)"
    return [
        panels.number(
            "Role",
            "Current role of each daemon: one leads, the others are on standby.",
            "short",
            (f"max by (instance, role) ({of('role')} == 1)", "{{role}}"),
            names=True,
            steps=((None, GREEN),),
        ),
        panels.number(
            "Ready",
            "Whether /readyz answers 200: following the stream or on standby, and all components make progress.",
            "bool_yes_no",
            (f"min by (job) ({of('ready')})", ""),
            texts=YES_NO,
        ),
        panels.number(
            "Healthy",
            "Whether /healthz answers 200: all components make progress (same condition as the watchdog).",
            "bool_yes_no",
            (f"min by (job) ({of('healthy')})", ""),
            texts=YES_NO,
        ),
        panels.number(
            "Lag",
            "Seconds between the newest cluster time seen in a server reply and the leader's checkpoint.",
            "s",
            (led(lag), ""),
            steps=((None, GREEN), (60, ORANGE), (300, RED)),
            graph=True,
        ),
        panels.number(
            "Open gaps",
            "Discontinuities of the stream that are not closed by a reconciliation yet.",
            "short",
            (led(of("gaps_open")), ""),
            steps=ZERO_IS_GOOD,
        ),
        panels.number(
            "Held documents",
            "Invalid documents, listed by chatello-analytics dead-letters list.",
            "short",
            (led(of("dead_letters")), ""),
            steps=((None, GREEN), (1, ORANGE)),
        ),
        panels.states(
            "Roles over time",
            "Role of each daemon over time. Waiting: for an operator's decision, see the log.",
            (f"max by (instance) ({numbered})", "{{instance}}"),
            STATES,
            size=(12, 6),
        ),
        panels.number(
            "Leaders",
            "Daemons that hold the lease, normally one. An alert fires on none for long, or on two.",
            "short",
            (f"sum by (job) ({of('leader')})", ""),
            steps=((None, RED), (1, GREEN), (2, RED)),
            size=(4, 6),
        ),
        panels.number(
            "Configuration",
            "Whether the configuration read on the last SIGHUP was valid; otherwise the previous one stays in force.",
            "bool_yes_no",
            (f"min by (job) ({of('config_last_reload_successful')})", ""),
            texts={1: ("in force", GREEN), 0: ("refused", RED)},
            size=(4, 6),
        ),
        panels.number(
            "Version",
            "Version of each daemon.",
            "short",
            (f"max by (instance, version) ({of('build_info')})", "{{version}}"),
            names=True,
            size=(4, 6),
        ),
    ]


def _stream() -> list[panels.Panel]:
    return [
        panels.lines(
            "Ages of the stream",
            "Time since the stream's last reply, and age of the newest received and of the committed position.",
            "s",
            (age("stream_contact_timestamp_seconds"), "last reply {{instance}}"),
            (age("stream_token_timestamp_seconds"), "position received {{instance}}"),
            (age("checkpoint_timestamp_seconds"), "committed position {{instance}}"),
            (age("cluster_timestamp_seconds"), "newest cluster time {{instance}}"),
        ),
        panels.lines(
            "From the write to the commit",
            "Age of a batch's oldest change at its commit (server clock and daemon clock). Median and 99th percentile.",
            "s",
            (quantile(0.5, "change_delay_seconds_bucket"), "median"),
            (quantile(0.99, "change_delay_seconds_bucket"), "99th percentile"),
        ),
        panels.lines(
            "Change stream restarts",
            "Restarts by reason: network, history (a gap), lease (another daemon took over), rules (a reload).",
            "short",
            (f"sum by (reason) (increase({of('stream_restarts_total')}[$__rate_interval]))", "{{reason}}"),
            columns=True,
            stacked=True,
            size=(8, 8),
        ),
        panels.lines(
            "Gaps recorded",
            "Discontinuities of the stream, by cause; analytics_gaps holds their start and end.",
            "short",
            (f"sum by (cause) (increase({of('gaps_total')}[$__rate_interval]))", "{{cause}}"),
            columns=True,
            stacked=True,
            size=(8, 8),
        ),
        panels.lines(
            "Found by reconciliation",
            "Differences between mirror and source that were committed, by collection.",
            "short",
            (f"sum by (collection) (increase({of('recovered_total')}[$__rate_interval]))", "{{collection}}"),
            columns=True,
            stacked=True,
            size=(8, 8),
        ),
    ]
