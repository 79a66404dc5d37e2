"""The daemon for whoever keeps it running: is it well, does it keep up, and what does it cost MongoDB."""

from grafana_foundation_sdk.builders import dashboard

from daemon.runtime.metrics import ROLES
from tests.boards import panels, work
from tests.boards.panels import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, ZERO_IS_GOOD, age, led, of, quantile

STATES = dict(zip(range(len(ROLES)), zip(ROLES, (GREY, BLUE, PURPLE, ORANGE, RED, GREEN), strict=True), strict=True))
YES_NO = {1: ("yes", GREEN), 0: ("no", RED)}


def board() -> dashboard.Dashboard:
    made = panels.board(
        "Chatello · Daemon",
        "chatello-analytics-daemon",
        "Whether chatello-analytics is well, keeps up, and what it costs. Alerts: docs/runbook.md.",
        "now-6h",
        "30s",
    )
    rows = {
        "Is it well?": _health(),
        "Does it keep up?": _stream(),
        "What does it commit?": work.commits(),
        "The day": work.day(),
        "MongoDB and HTTP": work.doors(),
        "The process": work.process(),
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
            "Does",
            "What each daemon does at the moment: one leads, others stand by.",
            "short",
            (f"max by (instance, role) ({of('role')} == 1)", "{{role}}"),
            names=True,
            steps=((None, GREEN),),
        ),
        panels.number(
            "Ready",
            "Whether /readyz answers 200: it follows the stream or stands by, and every part gets on.",
            "bool_yes_no",
            (f"min by (job) ({of('ready')})", ""),
            texts=YES_NO,
        ),
        panels.number(
            "Healthy",
            "Whether /healthz answers 200: no part stopped getting on. The watchdog goes by the same.",
            "bool_yes_no",
            (f"min by (job) ({of('healthy')})", ""),
            texts=YES_NO,
        ),
        panels.number(
            "Behind",
            "Seconds between the newest write the server told of and the last one committed, of who leads.",
            "s",
            (led(lag), ""),
            steps=((None, GREEN), (60, ORANGE), (300, RED)),
            graph=True,
        ),
        panels.number(
            "Open gaps",
            "Discontinuities of the stream that no reconciliation has closed yet.",
            "short",
            (led(of("gaps_open")), ""),
            steps=ZERO_IS_GOOD,
        ),
        panels.number(
            "Held documents",
            "Documents nobody could understand: chatello-analytics dead-letters list.",
            "short",
            (led(of("dead_letters")), ""),
            steps=((None, GREEN), (1, ORANGE)),
        ),
        panels.states(
            "Roles over time",
            "What each daemon did from when to when. Waiting: for a person, see the log.",
            (f"max by (instance) ({numbered})", "{{instance}}"),
            STATES,
            size=(12, 6),
        ),
        panels.number(
            "Leaders",
            "Daemons that hold the lease: one. None for long, or two, is an alert.",
            "short",
            (f"sum by (job) ({of('leader')})", ""),
            steps=((None, RED), (1, GREEN), (2, RED)),
            size=(4, 6),
        ),
        panels.number(
            "Configuration",
            "Whether the file read on the last SIGHUP was good; otherwise the one before it is in force.",
            "bool_yes_no",
            (f"min by (job) ({of('config_last_reload_successful')})", ""),
            texts={1: ("in force", GREEN), 0: ("refused", RED)},
            size=(4, 6),
        ),
        panels.number(
            "Version",
            "The version of each daemon.",
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
            "How long ago the stream last answered, and how old the newest position heard and the committed one are.",
            "s",
            (age("stream_contact_timestamp_seconds"), "last answer {{instance}}"),
            (age("stream_token_timestamp_seconds"), "position heard {{instance}}"),
            (age("checkpoint_timestamp_seconds"), "position committed {{instance}}"),
            (age("cluster_timestamp_seconds"), "newest the server told {{instance}}"),
        ),
        panels.lines(
            "From the write to the commit",
            "Age of a batch's oldest change at its commit, by two clocks: half of them, all but one in a hundred.",
            "s",
            (quantile(0.5, "change_delay_seconds_bucket"), "half"),
            (quantile(0.99, "change_delay_seconds_bucket"), "99 of 100"),
        ),
        panels.lines(
            "Stream opened anew",
            "How often, by reason: network, history (a gap), lease (another daemon took over), rules (a reload).",
            "short",
            (f"sum by (reason) (increase({of('stream_restarts_total')}[$__rate_interval]))", "{{reason}}"),
            columns=True,
            stacked=True,
            size=(8, 8),
        ),
        panels.lines(
            "Gaps recorded",
            "Discontinuities of the stream, by cause; analytics_gaps says from when to when.",
            "short",
            (f"sum by (cause) (increase({of('gaps_total')}[$__rate_interval]))", "{{cause}}"),
            columns=True,
            stacked=True,
            size=(8, 8),
        ),
        panels.lines(
            "Found by reconciliation",
            "Differences between mirror and shop that were committed, by collection.",
            "short",
            (f"sum by (collection) (increase({of('recovered_total')}[$__rate_interval]))", "{{collection}}"),
            columns=True,
            stacked=True,
            size=(8, 8),
        ),
    ]
