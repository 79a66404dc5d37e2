"""The daemon for whoever keeps it running: is it well, does it keep up, and what does it cost MongoDB."""

from grafana_foundation_sdk.builders import dashboard

from daemon.metrics import ROLES
from tests.boards import panels
from tests.boards.panels import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, led, of

STATES = dict(zip(range(len(ROLES)), zip(ROLES, (GREY, BLUE, PURPLE, ORANGE, RED, GREEN), strict=True), strict=True))
YES_NO = {1: ("yes", GREEN), 0: ("no", RED)}
ZERO_IS_GOOD = ((None, GREEN), (1, RED))


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
        "What does it commit?": _commits(),
        "The day": _day(),
        "MongoDB and HTTP": _doors(),
        "The process": _process(),
    }
    for title, row in rows.items():
        made.with_row(dashboard.Row(title))
        for panel in row:
            made.with_panel(panel)
    return made


def _age(name: str) -> str:
    """Seconds since a timestamp; none while it was never set, and none of a daemon that led before."""
    return f"time() - ({of(name)} > 0) and on (job, instance) {of('leader')} == 1"


def _rate(name: str, by: str) -> str:
    return f"sum by ({by}) (rate({of(name)}[$__rate_interval]))"


def _quantile(share: float, name: str, by: str = "le") -> str:
    return f"histogram_quantile({share}, sum by ({by}) (rate({of(name)}[$__rate_interval])))"


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
            (_age("stream_contact_timestamp_seconds"), "last answer {{instance}}"),
            (_age("stream_token_timestamp_seconds"), "position heard {{instance}}"),
            (_age("checkpoint_timestamp_seconds"), "position committed {{instance}}"),
            (_age("cluster_timestamp_seconds"), "newest the server told {{instance}}"),
        ),
        panels.lines(
            "From the write to the commit",
            "Age of a batch's oldest change at its commit, by two clocks: half of them, all but one in a hundred.",
            "s",
            (_quantile(0.5, "change_delay_seconds_bucket"), "half"),
            (_quantile(0.99, "change_delay_seconds_bucket"), "99 of 100"),
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


def _commits() -> list[panels.Panel]:
    return [
        panels.lines(
            "Changes committed",
            "Relevant changes of the shop's collections, a second. The flood of last_check never gets here.",
            "cps",
            (_rate("changes_total", "collection"), "{{collection}}"),
            stacked=True,
        ),
        panels.lines(
            "Events and movements",
            "Business events and ledger movements written, a second.",
            "cps",
            (_rate("events_total", "job"), "events"),
            (_rate("movements_total", "job"), "movements"),
        ),
        panels.lines(
            "Duration of a commit",
            "One transaction: events, movements, mirror, checkpoint. Half of them, and all but one in a hundred.",
            "s",
            (_quantile(0.5, "commit_seconds_bucket"), "half"),
            (_quantile(0.99, "commit_seconds_bucket"), "99 of 100"),
            size=(8, 8),
        ),
        panels.lines(
            "Commits",
            "Transactions committed, and run again because something stood in their way, a second.",
            "ops",
            (_rate("commits_total", "job"), "committed"),
            (_rate("commit_retries_total", "job"), "run again"),
            colors={"run again": ORANGE},
            size=(8, 8),
        ),
        panels.number(
            "Newest event",
            "When the newest business event happened; a quiet shop has quiet days.",
            "dateTimeFromNow",
            (f"max by (job) ({of('event_timestamp_seconds')} > 0) * 1000", ""),
            size=(8, 8),
        ),
    ]


def _day() -> list[panels.Panel]:
    return [
        panels.number(
            "Rows owed",
            "Days and months that lack their final row; looked at every ten minutes.",
            "short",
            (led(of("rows_owed")), ""),
            steps=ZERO_IS_GOOD,
            size=(4, 8),
        ),
        panels.number(
            "Proof",
            "Numbers that differed when ledger, totals and source were last compared.",
            "short",
            (led(of("proof_mismatches")), ""),
            steps=ZERO_IS_GOOD,
            texts={0: ("holds", GREEN)},
            size=(4, 8),
        ),
        panels.lines(
            "Ages of the schedule",
            "How long ago the bell rang, the owed rows were looked at, and the numbers were proven.",
            "s",
            (f"time() - ({of('bell_timestamp_seconds')} > 0)", "bell {{instance}}"),
            (_age("rollup_success_timestamp_seconds"), "rows {{instance}}"),
            (_age("proof_success_timestamp_seconds"), "proof {{instance}}"),
            size=(8, 8),
        ),
        panels.lines(
            "Duration of jobs",
            "How long each scheduled job took when it last ran.",
            "s",
            (f"max by (task) ({of('job_duration_seconds')})", "{{task}}"),
            size=(8, 8),
        ),
        panels.lines(
            "Jobs",
            "Runs of scheduled jobs by outcome; failures are in the log (job.failed).",
            "short",
            (f"sum by (task, outcome) (increase({of('jobs_total')}[$__rate_interval]))", "{{task}} {{outcome}}"),
            columns=True,
            stacked=True,
        ),
        panels.lines(
            "Rows written",
            "Today's live row, at most one a minute, and final ones.",
            "short",
            (f"sum by (row) (increase({of('rows_total')}[$__rate_interval]))", "{{row}}"),
            columns=True,
            stacked=True,
        ),
    ]


def _doors() -> list[panels.Panel]:
    return [
        panels.lines(
            "MongoDB commands",
            "Commands answered, a second, all in all: what the daemon costs the server (docs/scaling.md).",
            "ops",
            (_rate("mongodb_commands_total", "command"), "{{command}}"),
            stacked=True,
        ),
        panels.lines(
            "MongoDB commands failed",
            "Commands refused or never answered. Duplicates that a replay meets are no failures of the daemon.",
            "ops",
            (
                f"{_rate('mongodb_command_failures_total', 'command')} or {_rate('mongodb_commands_total', 'job')} * 0",
                "{{command}}",
            ),
        ),
        panels.lines(
            "HTTP requests",
            "Requests answered, a second, by route and status.",
            "reqps",
            (_rate("http_requests_total", "route, method, code"), "{{method}} {{route}} {{code}}"),
            stacked=True,
            size=(8, 8),
        ),
        panels.lines(
            "HTTP answers",
            "Time until an answer began, all but one in a hundred, by route.",
            "s",
            (_quantile(0.99, "http_response_seconds_bucket", "le, route"), "{{route}}"),
            size=(8, 8),
        ),
        panels.lines(
            "Live readers",
            "Pages and programs that follow the events live, all from one change stream.",
            "short",
            (of("http_stream_clients"), "{{instance}}"),
            size=(8, 8),
        ),
    ]


def _process() -> list[panels.Panel]:
    return [
        panels.lines(
            "Memory",
            "Resident memory; constant whatever the shop's size.",
            "bytes",
            (of("process_resident_memory_bytes"), "{{instance}}"),
            size=(6, 8),
        ),
        panels.lines(
            "Processor",
            "Share of one core.",
            "percentunit",
            (_rate("process_cpu_seconds_total", "instance"), "{{instance}}"),
            size=(6, 8),
        ),
        panels.lines(
            "Open files",
            "File descriptors, and how many there may be.",
            "short",
            (of("process_open_fds"), "open {{instance}}"),
            (of("process_max_fds"), "at most {{instance}}"),
            size=(6, 8),
        ),
        panels.lines(
            "Running for",
            "Time since the process began; every fall is a restart.",
            "s",
            (f"time() - {of('process_start_time_seconds')}", "{{instance}}"),
            size=(6, 8),
        ),
    ]
