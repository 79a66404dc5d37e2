"""The alarm of a page: the worst thing that makes its numbers old, incomplete or not final, and what to do about it."""

from collections.abc import Sequence
from typing import NamedTuple

from daemon import clock
from daemon.mongo.types import Document
from daemon.runtime.health import Health
from daemon.store import gaps
from daemon.web.context import WebContext
from daemon.web.page import reason_texts, system_texts, texts
from daemon.web.page.parts import reasons, status
from daemon.web.page.snapshot import Snapshot
from rules.settings import italian
from rules.text import one_line

NOT_FOLLOWING = ("starting", "retrying")


class Alarm(NamedTuple):
    """One alarm; `word` is what the pill says, `is_stale` whether the numbers are shown as old.

    `reasons` are messages in English.
    """

    kind: str
    word: str
    title: str
    meaning: str
    action: str
    commands: list[str]
    reasons: list[str]
    is_stale: bool


def current(context: WebContext, snapshot: Snapshot) -> Alarm | None:
    """Return the worst alarm that the server knows of; None if all is well."""
    gap = gaps.find_open(snapshot.database)
    if problems := _not_following(context.health):
        return _alarm("not_following", snapshot.time_text, problems)
    if gap is not None:
        return _of_gap(gap, snapshot)
    if snapshot.current is not None and snapshot.now - snapshot.current.at > status.late_after(context):
        return _alarm("not_following", snapshot.time_text)
    missing = status.missing_day(context, snapshot.now)
    if missing is None:
        return None
    return _alarm("day", texts.of_day(missing, snapshot.today), day=missing.isoformat())


def unreachable(snapshot: Snapshot) -> list[Alarm]:
    """Return the alarms that the page's script shows when it can no longer get this page."""
    return [_alarm(kind, snapshot.time_text) for kind in ("offline", "database")]


def _not_following(health: Health) -> list[str]:
    """Return why this daemon does not follow the database; empty if it does or another one works."""
    now = clock.monotonic()
    return [
        *health.expired_lease(now),
        *health.stalled(now),
        *([health.reason or health.role] if health.role in NOT_FOLLOWING else []),
    ]


def _of_gap(gap: Document, snapshot: Snapshot) -> Alarm:
    since = texts.day_and_time(italian.DAL, gap.get("opened_at"), snapshot.local_now)
    if gaps.awaits_approval(gap):
        asked = _alarm("decision", since, [one_line(gap["waiting"])])
        sentences = reasons.disappeared(gap)
        meaning = " ".join([*sentences, reason_texts.DISAPPEARED_MEANWHILE])
        return asked._replace(meaning=meaning) if sentences else asked
    return _alarm("gap", since)


def _alarm(kind: str, since: str, reasons: Sequence[str] = (), day: str = "") -> Alarm:
    word, title, meaning, action = system_texts.ALARMS[kind]
    commands = [command.format(day=day) for command in system_texts.ALARM_COMMANDS[kind]]
    return Alarm(kind, word, title.format(since=since), meaning, action, commands, list(reasons), kind != "day")
