"""Messages at once: all facts that wait, in one message of at most ten lines; interruptions and questions."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from rules.messages.model import Message
from rules.model.events import EventType
from rules.model.facts import Fact, FactType, GapFact
from rules.settings import italian, message_texts

MAX_LINES = 10


class WaitingFact(NamedTuple):
    """A fact with its text, described from the documents as they are now; "" if its text was removed."""

    fact: Fact
    text: str = ""
    kind: EventType | None = None


def message(waiting: Sequence[WaitingFact], zone: tzinfo) -> Message:
    """Return one message about all facts (at least one), the first ones with their text."""
    lines = [line for one in waiting for line in _lines(one, zone)]
    if len(lines) > MAX_LINES:
        listed = _first_lines(waiting, zone)
        lines = [*listed.lines, _omitted(waiting[listed.facts :])]
    subject = lines[0] if len(waiting) == 1 else italian.plural(message_texts.SUBJECT_NOW, len(waiting))
    return Message(f"now-{waiting[0].fact.id}-{len(waiting)}", subject, "\n".join(lines))


def interruption(gap: GapFact, zone: tzinfo) -> Message:
    """Return the message about a gap that is still open."""
    lines = gap_lines(FactType.GAP_OPENED, gap, zone)
    return Message(f"gap-{gap.reference}", lines[0], "\n".join(lines))


class _Listed(NamedTuple):
    facts: int
    lines: list[str]


def _first_lines(waiting: Sequence[WaitingFact], zone: tzinfo) -> _Listed:
    """Return the first facts whose lines leave one line for the rest."""
    lines: list[str] = []
    for count, one in enumerate(waiting):
        more = _lines(one, zone)
        if len(lines) + len(more) > MAX_LINES - 1:
            return _Listed(count, lines)
        lines += more
    return _Listed(len(waiting), lines)


def _lines(one: WaitingFact, zone: tzinfo) -> list[str]:
    subject = one.fact.subject
    if isinstance(subject, GapFact):
        return gap_lines(one.fact.type, subject, zone)
    text = italian.with_readers_euros(one.text) or message_texts.TEXT_REMOVED
    return [message_texts.WITHDRAWN.format(text=text) if one.fact.type is FactType.EVENT_WITHDRAWN else text]


def gap_lines(kind: FactType, gap: GapFact, zone: tzinfo) -> list[str]:
    """Return the lines about an open gap, a closed one, or a question."""
    if kind is FactType.APPROVAL_REQUESTED:
        missing = [italian.plural(message_texts.MISSING[name], count) for name, count in gap.missing.items()]
        return [message_texts.APPROVAL.format(missing=", ".join(missing)), message_texts.APPROVAL_WHAT_TO_DO]
    if kind is FactType.GAP_OPENED:
        began = _moment(italian.DAL, gap.since, zone)
        cause = message_texts.CAUSES.get(gap.cause, gap.cause)
        line = message_texts.INTERRUPTION_OPEN.format(dal_moment=began, cause=cause)
        return [line, message_texts.INTERRUPTION_OPEN_MEANWHILE]
    return [_closed(gap, zone)]


def _closed(gap: GapFact, zone: tzinfo) -> str:
    none, one, many = message_texts.RECOVERED
    count = sum(gap.recovered.values())
    recovered = italian.plural((one, many), count) if count else none
    since, until = (None if at is None else at.astimezone(zone) for at in (gap.since, gap.until))
    if since is not None and until is not None and since.date() == until.date():
        return message_texts.INTERRUPTION_SAME_DAY.format(
            del_day=italian.with_article(italian.DEL, since.date(), until.date()),
            since=f"{since:%H:%M}",
            until=f"{until:%H:%M}",
            recovered=recovered,
        )
    return message_texts.INTERRUPTION.format(
        dal_moment=_moment(italian.DAL, gap.since, zone),
        al_moment=_moment(italian.AL, gap.until, zone),
        recovered=recovered,
    )


def _moment(article: tuple[str, str], at: datetime | None, zone: tzinfo) -> str:
    """Return a time with its article: dall’8 novembre alle 16:30."""
    if at is None:
        return italian.DASH
    local = at.astimezone(zone)
    return f"{italian.with_article(article, local.date(), local.date())} alle {local:%H:%M}"


def _omitted(rest: Sequence[WaitingFact]) -> str:
    """Return the last line: how many facts are not listed, by kind, the most frequent first."""
    if len(rest) == 1:
        return message_texts.ONE_MORE_FACT
    counts = Counter(message_texts.KINDS.get(one.kind, message_texts.OTHER_KIND) for one in rest if one.kind)
    others = sum(one.kind is None for one in rest)
    if others:
        counts[message_texts.OTHER_KIND] += others
    kinds = ", ".join(italian.plural(forms, count) for forms, count in counts.most_common())
    return message_texts.MORE_FACTS.format(count=len(rest), kinds=kinds)
