"""At most one line a minute of an event that a visitor can cause."""

import pytest

from daemon import clock
from daemon.runtime.log_limit import LimitedLog


class Lines:
    def __init__(self) -> None:
        self.written: list[tuple[str, dict[str, object]]] = []

    def warning(self, event: str, **facts: object) -> None:
        self.written.append((event, facts))

    error = warning


def test_a_repeated_event_is_written_once_a_minute_with_the_number_of_suppressed_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines, now = Lines(), [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    log = LimitedLog(lines)
    for second in range(150):
        now[0] = 1000.0 + second
        log.warning("login.refused", peer=second)

    assert lines.written == [
        ("login.refused", {"peer": 0}),
        ("login.refused", {"peer": 60, "suppressed": 59}),
        ("login.refused", {"peer": 120, "suppressed": 59}),
    ]


def test_other_events_and_other_keys_are_not_suppressed() -> None:
    lines = Lines()
    log = LimitedLog(lines)
    log.warning("login.refused")
    for route in ("/a", "/b", "/a"):
        log.error("request.failed", key=route, route=route)

    assert [facts.get("route") for _, facts in lines.written] == [None, "/a", "/b"]
