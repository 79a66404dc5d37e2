"""The row of the operator's dashboard on deliveries to webhooks and people."""

from tests.boards import panels
from tests.boards.panels import BLUE, GREEN, GREY, RED, age, of, quantile

STATES = ("active", "failing", "paused", "disabled")
COLORS = (GREEN, RED, BLUE, GREY)


def deliveries() -> list[panels.Panel]:
    numbered = " or ".join(f"({of('delivery_state', state=state)} == 1) * {n}" for n, state in enumerate(STATES))
    return [
        panels.states(
            "Targets",
            "State of each target; chatello-analytics deliveries show NAME contains the last problem.",
            (f"max by (target) (({numbered}) and on (job, instance) {of('leader')} == 1)", "{{target}}"),
            dict(enumerate(zip(STATES, COLORS, strict=True))),
            size=(12, 8),
        ),
        panels.lines(
            "Delivery attempts",
            "Attempts by target and outcome. Dropped: commits that were older than delivery.keep_days.",
            "short",
            (
                f"sum by (target, outcome) (increase({of('deliveries_total')}[$__rate_interval]))",
                "{{target}} {{outcome}}",
            ),
            columns=True,
            stacked=True,
        ),
        panels.lines(
            "Commits waiting",
            "Commits that a target has not received yet, at most 10,000.",
            "short",
            (f"max by (target) ({of('delivery_waiting')} and on (job, instance) {of('leader')} == 1)", "{{target}}"),
            size=(8, 8),
        ),
        panels.lines(
            "Age of the oldest waiting commit",
            "An alert fires after an hour, unless the target is paused or disabled.",
            "s",
            (f"max by (target) ({age('delivery_oldest_timestamp_seconds')})", "{{target}}"),
            size=(8, 8),
        ),
        panels.lines(
            "From the commit to the receiver",
            "Time from a commit to its receipt by a webhook. Median and 99th percentile.",
            "s",
            (quantile(0.5, "delivery_seconds_bucket"), "median"),
            (quantile(0.99, "delivery_seconds_bucket"), "99th percentile"),
            size=(8, 8),
        ),
    ]
