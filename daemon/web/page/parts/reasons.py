"""Technical reasons in Italian: the log and the API have them in English."""

import re
from collections.abc import Mapping
from typing import Any

from daemon.mongo.id_text import shown_id
from daemon.mongo.types import Document
from daemon.web.page import reason_texts
from rules.settings import italian
from rules.text import one_line

MAX_ID = 60


def held(letter: Document) -> str:
    """Return which document is put aside, and why."""
    source = str(letter["_id"].get("k"))
    what, reason = reason_texts.HELD_WHAT.get(source, source), one_line(letter.get("reason"))
    return reason_texts.HELD_LINE.format(
        what=what, id=one_line(shown_id(letter["_id"].get("id")), MAX_ID), reason=_held_reason(reason)
    )


def _held_reason(reason: str) -> str:
    for pattern, text in reason_texts.HELD_REASONS:
        if found := re.fullmatch(pattern, reason):
            return text.format(**{name: _quoted(value) for name, value in found.groupdict().items()})
    return reason_texts.TECHNICAL.format(reason=reason)


def _quoted(value: str) -> str:
    """Return a value with the quotes of readers instead of Python's."""
    return re.sub(r"^(['\"])(.*)\1$", r"«\2»", value)


def disappeared(gap: Mapping[str, Any]) -> list[str]:
    """Return how many documents a person has to decide about, by collection."""
    counts, known = (one if isinstance(one, Mapping) else {} for one in (gap.get("missing"), gap.get("known")))
    return [
        forms[counts[source] != 1].format(count=italian.integer(counts[source]), known=italian.integer(known[source]))
        for source, forms in reason_texts.DISAPPEARED.items()
        if counts.get(source) and source in known
    ]


def stalled(sentence: str) -> str:
    """Return why a part of the daemon does not work; a sentence that is not known unchanged."""
    if found := re.fullmatch(reason_texts.STALLED, sentence):
        text = reason_texts.STALLED_PARTS.get(found["component"], "")
        return text.format(duration=italian.duration(float(found["seconds"]))) or sentence
    if found := re.fullmatch(reason_texts.LEASE, sentence):
        return reason_texts.LEASE_EXPIRED.format(duration=italian.duration(float(found["seconds"])))
    return sentence
