"""The daemon's status as the page shows it, with a fix for each problem."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from typing import NamedTuple

from daemon import clock
from daemon.delivery import backlog, target_store
from daemon.delivery.target_store import TargetRecord
from daemon.mongo.types import Document
from daemon.runtime.health import Health, Instant
from daemon.store import checkpoint as checkpoints
from daemon.store import dead_letters, gaps
from daemon.store import rows as row_store
from daemon.store.ledger import reader as ledger
from daemon.web.context import WebContext
from daemon.web.page import system_texts, texts
from daemon.web.page.parts import reasons
from rules import business_days
from rules.settings import italian, message_texts
from rules.text import one_line

LATE_SECONDS = 45.0
"""By default an idle checkpoint is up to 36 seconds old: 21 until it is stored, 5 of a wait for the stream, and 10
between the writes of an idle server."""
SLACK_SECONDS = 20.0
"""What is added to longer intervals of the configuration: the writes of an idle server, and as much again."""
GRACE = timedelta(minutes=5)
"""A row due for less than this is being written and not reported as missing."""
GAPS_SHOWN_DAYS = 30
GAPS_READ = 50
SHOWN = 5


class StatusLine(NamedTuple):
    """One line of the status. `hint` is the fix and empty without a problem; `details` are single lines."""

    name: str
    text: str
    hint: str = ""
    details: Sequence[str] = ()


def status_lines(context: WebContext, now: datetime) -> list[StatusLine]:
    """Return all lines, most important first; `now` is the database's clock."""
    now = now.astimezone(context.config().time.zone)
    return [
        *_following(context.health),
        *_lag(context, now),
        *_rollup(context, now),
        *_verification(context, now),
        *_gaps(context, now),
        *_dead_letters(context),
        *_deliveries(context, now),
    ]


def summary(lines: Sequence[StatusLine]) -> str:
    problems = sum(1 for line in lines if line.hint)
    return italian.plural(system_texts.ITEMS_TO_CHECK, problems) if problems else system_texts.ALL_WELL


def late_after(context: WebContext) -> timedelta:
    """Return the age at which the checkpoint is old: more than it can reach while all is well."""
    stream = context.config().stream
    return timedelta(seconds=max(LATE_SECONDS, stream.checkpoint_seconds + stream.await_seconds + SLACK_SECONDS))


def role_text(health: Health) -> str:
    """Return what the daemon does at the moment; a leader whose lease expired cannot work."""
    if health.expired_lease(clock.monotonic()):
        return system_texts.LEASE_EXPIRED
    return system_texts.ROLES.get(health.role, system_texts.ROLE_UNKNOWN)


def _following(health: Health) -> Iterator[StatusLine]:
    role = health.role
    details = [health.reason] if health.reason and role in system_texts.ROLE_HINTS else []
    expired = health.expired_lease(clock.monotonic())
    hint = system_texts.LEASE_HINT if expired else system_texts.ROLE_HINTS.get(role, "")
    yield StatusLine(system_texts.FOLLOWING, role_text(health), hint, [*map(reasons.stalled, expired), *details])
    stalled = health.stalled(clock.monotonic())
    if stalled:
        yield StatusLine(system_texts.STALLED, "", system_texts.STALLED_HINT, [reasons.stalled(one) for one in stalled])


def _lag(context: WebContext, now: datetime) -> Iterator[StatusLine]:
    """Yield the age of the checkpoint by the server's clock; nothing before the first one."""
    checkpoint = checkpoints.load(context.database)
    if checkpoint is None or checkpoint.at is None:
        return
    seconds = max(0.0, (now - checkpoint.at).total_seconds())
    is_late = seconds > late_after(context).total_seconds()
    yield StatusLine(
        system_texts.LAG,
        italian.duration(seconds) if seconds >= 1 else system_texts.LAG_NONE,
        system_texts.LAG_HINT if is_late else "",
    )


def _rollup(context: WebContext, now: datetime) -> Iterator[StatusLine]:
    """Yield the newest final row, and the first due day without one."""
    row, missing = row_store.newest_final(context.database), missing_day(context, now)
    text = system_texts.ROLLUP_NEVER
    if row is not None:
        when = texts.day_and_time(italian.IL, row.get("updated_at"), now)
        text = system_texts.ROLLUP_OF.format(day=texts.day(row["date"]), when=when)
    if missing is None:
        yield StatusLine(system_texts.ROLLUP, text)
    else:
        detail = system_texts.ROLLUP_MISSING.format(del_day=texts.of_day(missing, now.date()))
        yield StatusLine(system_texts.ROLLUP, text, system_texts.ROLLUP_HINT.format(day=missing.isoformat()), [detail])


def missing_day(context: WebContext, now: datetime) -> date | None:
    """Return the first due day without a final row."""
    time, row = context.config().time, row_store.newest_final(context.database)
    expected = row["date"].date() + business_days.ONE_DAY if row else ledger.first_day(context.database)
    due = business_days.last_closed(now - GRACE, time.rollup_at, time.zone)
    return expected if expected is not None and expected <= due else None


def _verification(context: WebContext, now: datetime) -> Iterator[StatusLine]:
    """Yield the last verification by this process; nothing before the first."""
    mismatches, passed_at = context.health.mismatches, context.health.at(Instant.VERIFICATION)
    if mismatches:
        yield StatusLine(
            system_texts.VERIFICATION,
            italian.plural(system_texts.VERIFICATION_FAILED, mismatches),
            system_texts.VERIFICATION_HINT,
        )
    elif passed_at:
        when = texts.day_and_time(italian.IL, datetime.fromtimestamp(passed_at, now.tzinfo), now)
        yield StatusLine(system_texts.VERIFICATION, system_texts.VERIFICATION_PASSED.format(when=when))


def _gaps(context: WebContext, now: datetime) -> Iterator[StatusLine]:
    """Yield open gaps, or a summary of the interruptions of the last 30 days."""
    zone = context.config().time.zone
    oldest, newest_gaps = now - timedelta(GAPS_SHOWN_DAYS), gaps.newest(context.database, GAPS_READ, None)
    found = [gap for gap in newest_gaps if gap.get("closed_at") is None or gap["opened_at"] >= oldest]
    still_open = [gap for gap in found if gap.get("closed_at") is None]
    closed = [gap for gap in found if gap.get("closed_at") is not None and gaps.cause_of_interruption(gap)]
    for gap in still_open:
        since = texts.day_and_time(italian.DAL, gap.get("opened_at"), now)
        text = system_texts.GAP_OPEN.format(since=since, cause=_cause(gap))
        yield StatusLine(system_texts.GAPS, text, system_texts.GAP_HINT)
    if not still_open:
        text = italian.plural(system_texts.GAPS_CLOSED, len(closed)) if closed else system_texts.GAPS_NONE
        yield StatusLine(system_texts.GAPS, text, details=[closed_gap(gap, zone) for gap in closed[:SHOWN]])


def _cause(gap: Document) -> str:
    return message_texts.CAUSES.get(str(gap.get("cause")), one_line(gap.get("cause")))


def closed_gap(gap: Document, zone: tzinfo) -> str:
    recovered = gap.get("recovered")
    count = sum(recovered.values()) if isinstance(recovered, dict) else 0
    return system_texts.GAP_CLOSED.format(
        since=italian.moment(gap["since"], zone) if gap.get("since") else system_texts.GAP_START,
        until=italian.moment(gap.get("until"), zone),
        cause=_cause(gap),
        recovered=italian.plural(system_texts.GAP_RECOVERED, count) if count else system_texts.GAP_RECOVERED_NONE,
    )


def _dead_letters(context: WebContext) -> Iterator[StatusLine]:
    count = dead_letters.count_held(context.database)
    if not count:
        yield StatusLine(system_texts.DEAD_LETTERS, system_texts.DEAD_LETTERS_NONE)
        return
    details = [reasons.held(one) for one in islice(dead_letters.held(context.database), SHOWN)]
    if count > len(details):
        details.append(italian.plural(system_texts.AND_MORE, count - len(details)))
    held = italian.plural(system_texts.DEAD_LETTERS_HELD, count)
    yield StatusLine(system_texts.DEAD_LETTERS, held, system_texts.DEAD_LETTERS_HINT, details)


def _deliveries(context: WebContext, now: datetime) -> Iterator[StatusLine]:
    """Yield one line per configured target."""
    config = context.config()
    for name in (*config.webhooks, *config.notify):
        record = target_store.load(context.database, name)
        title = system_texts.DELIVERIES.format(name=name)
        if record is None:
            yield StatusLine(title, system_texts.DELIVERIES_NOT_STARTED)
            continue
        target = record.target
        hint = system_texts.DELIVERY_HINTS.get(target.state, "").format(name=name)
        yield StatusLine(
            title, _delivered(context, record, now), hint, [target.last_error] if target.last_error else []
        )


def _delivered(context: WebContext, record: TargetRecord, now: datetime) -> str:
    """Return the state of a target, what waits for it, and when it last received something."""
    target, waiting = record.target, backlog.count(context.database, record)
    last = texts.day_and_time(italian.IL, target.last_success_at, now) if target.last_success_at else ""
    parts = (
        system_texts.DELIVERY_STATES[target.state],
        italian.plural(system_texts.DELIVERIES_WAITING, waiting) if waiting else "",
        italian.plural(system_texts.DELIVERIES_REFUSED, len(record.parked)) if record.parked else "",
        system_texts.DELIVERY_LAST.format(when=last) if last else system_texts.DELIVERY_NEVER,
    )
    return ", ".join(part for part in parts if part)
