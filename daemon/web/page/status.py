"""The state of the daemon, quietly: what is well, what is not, and then what to do. Read, not guessed."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from typing import NamedTuple

from daemon import clock
from daemon.config.schema import Config
from daemon.mongo.types import Document
from daemon.runtime.health import Health
from daemon.runtime.metrics import PREFIX, REGISTRY
from daemon.store import checkpoint as checkpoints
from daemon.store import dead_letters, gaps, table
from daemon.store.ledger import reader as ledger
from daemon.web.context import WebContext
from daemon.web.page import texts
from rules import business_days
from rules.text import one_line

LATE_SECONDS = 120.0
"""On an idle server the committed position is up to half a minute old: ten seconds of ours, ten of the server's."""
GRACE = timedelta(minutes=5)
"""A row that is owed since this moment is being written."""
GAPS_SHOWN_DAYS = 30
GAPS_READ = 50
SHOWN = 5


class StatusLine(NamedTuple):
    """One thing looked at; `cure` says what to do and is empty when all is well, `details` are single lines."""

    name: str
    text: str
    cure: str = ""
    details: Sequence[str] = ()


def findings(house: WebContext, now: datetime) -> list[StatusLine]:
    """Everything there is to look at, in the order a person would; `now` is the database's."""
    return [
        *_following(house.progress),
        *_lag(house, now),
        *_rollup(house, now),
        *_proof(house.config(), now),
        *_gaps(house, now),
        *_dead_letters(house),
    ]


def summary(found: Sequence[StatusLine]) -> str:
    wrong = sum(1 for finding in found if finding.cure)
    return texts.plural(texts.LOOK_AT, wrong) if wrong else texts.ALL_WELL


def _following(progress: Health) -> Iterator[StatusLine]:
    role = progress.role
    details = [progress.reason] if progress.reason and role in texts.ROLE_CURES else []
    yield StatusLine(
        texts.FOLLOWING, texts.ROLES.get(role, texts.ROLE_UNKNOWN), texts.ROLE_CURES.get(role, ""), details
    )
    stalled = progress.stalled(clock.monotonic())
    if stalled:
        yield StatusLine(texts.STALLED, "", texts.STALLED_CURE, stalled)


def _lag(house: WebContext, now: datetime) -> Iterator[StatusLine]:
    """How far the committed position is behind what the server has written, by the server's own time."""
    checkpoint = checkpoints.load(house.database)
    if checkpoint is None or checkpoint.at is None:
        return
    seconds = max(0.0, (now - checkpoint.at).total_seconds())
    is_late = seconds > LATE_SECONDS
    yield StatusLine(
        texts.LAG, texts.ago(seconds) if seconds >= 1 else texts.LAG_NONE, texts.LAG_CURE if is_late else ""
    )


def _rollup(house: WebContext, now: datetime) -> Iterator[StatusLine]:
    """The newest final row, and whether the days that are owed have one."""
    time, row, first = house.config().time, table.newest_final(house.database), ledger.first_day(house.database)
    owed = business_days.last_closed(now - GRACE, time.rollup_at, time.zone)
    if row is None:
        text, missing = texts.ROLLUP_NEVER, first
    else:
        when = texts.moment(row.get("updated_at"), time.zone)
        text, missing = (
            texts.ROLLUP_OF.format(day=texts.day(row["date"]), when=when),
            row["date"].date() + business_days.ONE_DAY,
        )
    if missing is None or missing > owed:
        yield StatusLine(texts.ROLLUP, text)
    else:
        lacking = texts.ROLLUP_OWED.format(day=texts.day(missing))
        yield StatusLine(texts.ROLLUP, text, texts.ROLLUP_CURE.format(day=missing.isoformat()), [lacking])


def _proof(config: Config, now: datetime) -> Iterator[StatusLine]:
    """The last nightly proof of this process; nothing is known before the first."""
    wrong = int(_metric("proof_mismatches"))
    held = _metric("proof_success_timestamp_seconds")
    if wrong:
        yield StatusLine(texts.PROOF, texts.plural(texts.PROOF_FAILED, wrong), texts.PROOF_CURE)
    elif held:
        when = texts.moment(datetime.fromtimestamp(held, now.tzinfo), config.time.zone)
        yield StatusLine(texts.PROOF, texts.PROOF_HELD.format(when=when))


def _metric(name: str) -> float:
    return REGISTRY.get_sample_value(f"{PREFIX}_{name}") or 0.0


def _gaps(house: WebContext, now: datetime) -> Iterator[StatusLine]:
    """Gaps that are open, and those of the last month; the first start of all is no interruption."""
    zone = house.config().time.zone
    since, newest_gaps = now - timedelta(GAPS_SHOWN_DAYS), gaps.newest(house.database, GAPS_READ, None)
    found = [gap for gap in newest_gaps if gap.get("closed_at") is None or gap["opened_at"] >= since]
    still_open = [gap for gap in found if gap.get("closed_at") is None]
    closed = [gap for gap in found if gap.get("closed_at") is not None and gap.get("cause") != "first_start"]
    for gap in still_open:
        when = texts.moment(gap.get("opened_at"), zone)
        yield StatusLine(texts.GAPS, texts.GAP_OPEN.format(when=when, cause=_cause(gap)), texts.GAP_CURE)
    if not still_open:
        text = texts.plural(texts.GAPS_CLOSED, len(closed)) if closed else texts.GAPS_NONE
        yield StatusLine(texts.GAPS, text, details=[_closed(gap, zone) for gap in closed[:SHOWN]])


def _cause(gap: Document) -> str:
    return texts.CAUSES.get(str(gap.get("cause")), one_line(gap.get("cause")))


def _closed(gap: Document, zone: tzinfo) -> str:
    recovered = gap.get("recovered")
    return texts.GAP_CLOSED.format(
        since=texts.moment(gap["since"], zone) if gap.get("since") else texts.GAP_START,
        until=texts.moment(gap.get("until"), zone),
        cause=_cause(gap),
        recovered=texts.plural(texts.GAP_RECOVERED, sum(recovered.values()) if isinstance(recovered, dict) else 0),
    )


def _dead_letters(house: WebContext) -> Iterator[StatusLine]:
    count = dead_letters.count_held(house.database)
    if not count:
        yield StatusLine(texts.DEAD_LETTERS, texts.DEAD_LETTERS_NONE)
        return
    details = [_dead_letter(one) for one in islice(dead_letters.held(house.database), SHOWN)]
    if count > len(details):
        details.append(texts.plural(texts.AND_MORE, count - len(details)))
    held = texts.plural(texts.DEAD_LETTERS_HELD, count)
    yield StatusLine(texts.DEAD_LETTERS, held, texts.DEAD_LETTERS_CURE, details)


def _dead_letter(letter: Document) -> str:
    return f"{letter['_id'].get('k')} {one_line(str(letter['_id'].get('id')), 60)}: {one_line(letter.get('reason'))}"
