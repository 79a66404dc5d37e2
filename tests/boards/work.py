"""What the daemon works at: commits, the day, its doors and its process."""

from tests.boards import panels
from tests.boards.panels import GREEN, ORANGE, ZERO_IS_GOOD, age, led, of, quantile, rate


def commits() -> list[panels.Panel]:
    return [
        panels.lines(
            "Changes committed",
            "Relevant changes of the shop's collections, a second. The flood of last_check never gets here.",
            "cps",
            (rate("changes_total", "collection"), "{{collection}}"),
            stacked=True,
        ),
        panels.lines(
            "Events and movements",
            "Business events and ledger movements written, a second.",
            "cps",
            (rate("events_total", "job"), "events"),
            (rate("movements_total", "job"), "movements"),
        ),
        panels.lines(
            "Duration of a commit",
            "One transaction: events, movements, mirror, checkpoint. Half of them, and all but one in a hundred.",
            "s",
            (quantile(0.5, "commit_seconds_bucket"), "half"),
            (quantile(0.99, "commit_seconds_bucket"), "99 of 100"),
            size=(8, 8),
        ),
        panels.lines(
            "Commits",
            "Transactions committed, and run again because something stood in their way, a second.",
            "ops",
            (rate("commits_total", "job"), "committed"),
            (rate("commit_retries_total", "job"), "run again"),
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


def day() -> list[panels.Panel]:
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
            (age("rollup_success_timestamp_seconds"), "rows {{instance}}"),
            (age("proof_success_timestamp_seconds"), "proof {{instance}}"),
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


def doors() -> list[panels.Panel]:
    return [
        panels.lines(
            "MongoDB commands",
            "Commands answered, a second, all in all: what the daemon costs the server (docs/scaling.md).",
            "ops",
            (rate("mongodb_commands_total", "command"), "{{command}}"),
            stacked=True,
        ),
        panels.lines(
            "MongoDB commands failed",
            "Commands refused or never answered. Duplicates that a replay meets are no failures of the daemon.",
            "ops",
            (
                f"{rate('mongodb_command_failures_total', 'command')} or {rate('mongodb_commands_total', 'job')} * 0",
                "{{command}}",
            ),
        ),
        panels.lines(
            "HTTP requests",
            "Requests answered, a second, by route and status.",
            "reqps",
            (rate("http_requests_total", "route, method, code"), "{{method}} {{route}} {{code}}"),
            stacked=True,
            size=(8, 8),
        ),
        panels.lines(
            "HTTP answers",
            "Time until an answer began, all but one in a hundred, by route.",
            "s",
            (quantile(0.99, "http_response_seconds_bucket", "le, route"), "{{route}}"),
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


def process() -> list[panels.Panel]:
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
            (rate("process_cpu_seconds_total", "instance"), "{{instance}}"),
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
