"""Panels of the daemon's work: commits, scheduled jobs, MongoDB and HTTP, process."""

from tests.boards import panels
from tests.boards.panels import GREEN, ORANGE, ZERO_IS_GOOD, age, led, of, quantile, rate


def commits() -> list[panels.Panel]:
    return [
        panels.lines(
            "Changes committed",
            "Relevant changes of the source collections, per second. The server filters out last_check updates.",
            "cps",
            (rate("changes_total", "collection"), "{{collection}}"),
            stacked=True,
        ),
        panels.lines(
            "Events and movements",
            "Business events and ledger movements written, per second.",
            "cps",
            (rate("events_total", "job"), "events"),
            (rate("movements_total", "job"), "movements"),
        ),
        panels.lines(
            "Duration of a commit",
            "One transaction: events, movements, mirror, checkpoint. Median and 99th percentile.",
            "s",
            (quantile(0.5, "commit_seconds_bucket"), "median"),
            (quantile(0.99, "commit_seconds_bucket"), "99th percentile"),
            size=(8, 8),
        ),
        panels.lines(
            "Commits",
            "Transactions committed, and retried after a transient error, per second.",
            "ops",
            (rate("commits_total", "job"), "committed"),
            (rate("commit_retries_total", "job"), "retried"),
            colors={"retried": ORANGE},
            size=(8, 8),
        ),
        panels.number(
            "Newest event",
            "Time of the newest business event. Days without an event are normal for a small shop.",
            "dateTimeFromNow",
            (f"max by (job) ({of('event_timestamp_seconds')} > 0) * 1000", ""),
            size=(8, 8),
        ),
    ]


def day() -> list[panels.Panel]:
    return [
        panels.number(
            "Missing rows",
            "Days and months without their final row, checked every ten minutes.",
            "short",
            (led(of("rows_missing")), ""),
            steps=ZERO_IS_GOOD,
            size=(4, 8),
        ),
        panels.number(
            "Verification",
            "Mismatches found by the last comparison of ledger, totals and source.",
            "short",
            (led(of("verification_mismatches")), ""),
            steps=ZERO_IS_GOOD,
            texts={0: ("passed", GREEN)},
            size=(4, 8),
        ),
        panels.lines(
            "Ages of the schedule",
            "Time since the scheduler's last tick, the last check for missing rows and the last passed verification.",
            "s",
            (f"time() - ({of('scheduler_last_tick_timestamp_seconds')} > 0)", "scheduler {{instance}}"),
            (age("rollup_success_timestamp_seconds"), "rollup {{instance}}"),
            (age("verification_success_timestamp_seconds"), "verification {{instance}}"),
            size=(8, 8),
        ),
        panels.lines(
            "Duration of jobs",
            "Duration of the last run of each scheduled job.",
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
            "Writes of today's live row, at most one per minute, and of final rows.",
            "short",
            (f"sum by (row) (increase({of('rows_total')}[$__rate_interval]))", "{{row}}"),
            columns=True,
            stacked=True,
        ),
    ]


def interfaces() -> list[panels.Panel]:
    return [
        panels.lines(
            "MongoDB commands",
            "Commands answered, per second: the daemon's load on the server (docs/scaling.md).",
            "ops",
            (rate("mongodb_commands_total", "command"), "{{command}}"),
            stacked=True,
        ),
        panels.lines(
            "MongoDB commands failed",
            "Commands refused or unanswered. Duplicate key errors during a replay are harmless.",
            "ops",
            (
                f"{rate('mongodb_command_failures_total', 'command')} or {rate('mongodb_commands_total', 'job')} * 0",
                "{{command}}",
            ),
        ),
        panels.lines(
            "HTTP requests",
            "Requests answered, per second, by route and status.",
            "reqps",
            (rate("http_requests_total", "route, method, code"), "{{method}} {{route}} {{code}}"),
            stacked=True,
            size=(8, 8),
        ),
        panels.lines(
            "HTTP response time",
            "Time to the first byte of the response, 99th percentile, by route.",
            "s",
            (quantile(0.99, "http_response_seconds_bucket", "le, route"), "{{route}}"),
            size=(8, 8),
        ),
        panels.lines(
            "Event stream clients",
            "Clients of the server-sent events, all served from one change stream.",
            "short",
            (of("http_stream_clients"), "{{instance}}"),
            size=(8, 8),
        ),
    ]


def process() -> list[panels.Panel]:
    return [
        panels.lines(
            "Memory",
            "Resident memory; independent of the shop's size.",
            "bytes",
            (of("process_resident_memory_bytes"), "{{instance}}"),
            size=(6, 8),
        ),
        panels.lines(
            "Processor",
            "CPU usage as a share of one core.",
            "percentunit",
            (rate("process_cpu_seconds_total", "instance"), "{{instance}}"),
            size=(6, 8),
        ),
        panels.lines(
            "Open files",
            "Open file descriptors and their limit.",
            "short",
            (of("process_open_fds"), "open {{instance}}"),
            (of("process_max_fds"), "limit {{instance}}"),
            size=(6, 8),
        ),
        panels.lines(
            "Uptime",
            "Time since the process started; every drop is a restart.",
            "s",
            (f"time() - {of('process_start_time_seconds')}", "{{instance}}"),
            size=(6, 8),
        ),
    ]
