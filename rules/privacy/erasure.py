"""Erasure of a person: redaction of changes and events, and the patterns that find a name in texts.

A forgotten customer is identified only by a hash of the id. Incoming changes about the customer lose the name before
the rules see them; recorded events are rendered again without it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rules.model.changes import Change, Fields, Operation, Plan
from rules.privacy import rendering
from rules.settings import catalog
from rules.settings.catalog import FORGOTTEN, MARKS
from rules.settings.settings import Settings
from rules.text import MAX_NAME, MAX_TEXT, name_text, note_text, one_line

PERSONAL = ("name", "company", "email")
"""The fields of a customer document that identify the person."""

MIN_NAME_LENGTH = 3
"""A shorter name would match in half of all texts."""

APOSTROPHES, QUOTES = "'’‘`´", '"“”'
"""Characters that notes, people and the database write for each other."""
_QUOTE = re.compile(f"[{APOSTROPHES}{QUOTES}]")


def without_personal_data(change: Change) -> Change:
    """Return a change of a forgotten customer without the fields in PERSONAL."""
    if change.op in (Operation.INSERT, Operation.REPLACE):
        return change._replace(fields=fields_without_personal_data(change.fields))
    return change._replace(
        fields={path: value for path, value in change.fields.items() if not _is_personal(path)},
        removed=tuple(path for path in change.removed if not _is_personal(path)),
        truncated=tuple(one for one in change.truncated if not _is_personal(one[0])),
    )


def fields_without_personal_data(fields: Fields) -> Fields:
    """Return a forgotten customer's document with FORGOTTEN as its name and without the other personal fields."""
    return {**{path: value for path, value in fields.items() if not _is_personal(path)}, "name": FORGOTTEN}


def _is_personal(path: str) -> bool:
    return path.partition(".")[0] in PERSONAL


def redacted_event(stored: Mapping[str, Any], plans: Mapping[str, Plan], settings: Settings) -> dict[str, Any]:
    """Return a stored event about a forgotten customer without the name; an already redacted one is unchanged.

    `plans` are by name. If the event does not have the data to render it again, its description is FORGOTTEN.
    """
    metadata = stored.get("metadata")
    known = metadata if isinstance(metadata, Mapping) else {}
    if known.get("customer_name") in MARKS:
        return dict(stored)
    redacted = {**stored, "description": "", "metadata": {**known, "customer_name": FORGOTTEN}}
    return {**redacted, "description": rendering.rendered(redacted, plans, settings) or FORGOTTEN}


class NamePatterns(NamedTuple):
    """The forms of a person's names to find in texts.

    `common` forms are also words of the catalog texts: they do not identify the person and are not in `pattern`. The
    group `kept` matches another person's name that contains a form. `probes` are the case-folded beginnings of the
    forms: a text without any of them does not need the pattern. Texts are compared in Unicode's composed form (NFC).
    """

    pattern: re.Pattern[str] | None
    common: tuple[str, ...]
    probes: tuple[str, ...] = ()

    def _may_match(self, text: str) -> bool:
        small = text.casefold()
        return any(probe in small for probe in self.probes)

    def find(self, text: str) -> Iterator[str]:
        """Yield each form as it is written in a text; the whole text if it is not in composed form."""
        composed = _composed(text)
        if self.pattern is not None and self._may_match(composed):
            found = [match[0] for match in self.pattern.finditer(composed) if match["kept"] is None]
            yield from found if composed == text or not found else [text]

    def has_common(self, text: object) -> bool:
        """Return whether a text contains one of the common forms as a word."""
        words = [rf"(?<!\w){_flexible(form)}(?!\w)" for form in self.common]
        return (
            isinstance(text, str) and bool(words) and bool(re.search("|".join(words), _composed(text), re.IGNORECASE))
        )

    def matches(self, value: Any) -> bool:
        """Return whether any text in a value, at any depth, contains a form."""
        if isinstance(value, str):
            return next(self.find(value), None) is not None
        if isinstance(value, Mapping):
            return any(self.matches(key) or self.matches(one) for key, one in value.items())
        return isinstance(value, list) and any(map(self.matches, value))

    def redact(self, value: Any) -> Any:
        """Return the value with FORGOTTEN instead of every form, at any depth."""
        if isinstance(value, str):
            return self._redacted(value)
        if isinstance(value, Mapping):
            return {self.redact(key): self.redact(one) for key, one in value.items()}
        return [self.redact(one) for one in value] if isinstance(value, list) else value

    def _redacted(self, text: str) -> str:
        composed = _composed(text)
        if self.pattern is None or not self._may_match(composed):
            return text
        redacted = self.pattern.sub(_replacement, composed)
        return text if redacted == composed else redacted


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _replacement(match: re.Match[str]) -> str:
    return match["kept"] or FORGOTTEN


def name_patterns(names: Iterable[str], plans: Iterable[Plan], others: Iterable[str] = ()) -> NamePatterns:
    """Return the patterns of a person's names and addresses in texts: whole, cut off, and cleaned to one line.

    `others` are other people's names that contain one of them: they stay unchanged. A namesake's equal name does not.
    """
    words = _catalog_words(plans)
    own_forms = {form for name in names for form in _forms(name) if form and form not in MARKS}
    common = {form for form in own_forms if len(form) < MIN_NAME_LENGTH or form.casefold() in words}
    plain = sorted(own_forms - common, key=len, reverse=True)
    if not plain:
        return NamePatterns(None, tuple(sorted(common)))
    cut = [rf"{_flexible(form[:size])}\s?…" for form in plain for size in _cut_lengths(form)]
    whole = rf"(?:{'|'.join(map(_flexible, plain))})(?!\w)…?"
    text = rf"(?<!\w)(?:{_kept_group(others, own_forms)}|{'|'.join([whole, *cut])})"
    probes = {_probe(form) for form in plain}
    return NamePatterns(re.compile(text, re.IGNORECASE), tuple(sorted(common)), tuple(sorted(probes)))


def _probe(form: str) -> str:
    """Return the beginning of a form that its other ways of writing share."""
    beginning = form.split(maxsplit=1)[0][: MIN_NAME_LENGTH + 1]
    return _QUOTE.split(beginning)[0].casefold()


def _kept_group(others: Iterable[str], own_forms: set[str]) -> str:
    """Return the group `kept` of these names, longest first; without names it matches nothing."""
    own = {form.casefold() for form in own_forms}
    other_forms = {form for name in others for form in _forms(name) if form and form.casefold() not in own}
    longest = sorted(other_forms, key=len, reverse=True)
    return rf"(?P<kept>(?:{'|'.join(map(_flexible, longest)) or '(?!)'})(?!\w))"


def _forms(name: str) -> set[str]:
    """Return a name as written, as notes of former versions show it, and as a note shows it; all in composed form."""
    lines = {one_line(form, limit) for form in (name, _composed(name)) for limit in (MAX_TEXT, MAX_NAME)}
    shown = {name.strip(), *(line.rstrip("…").rstrip() for line in lines)}
    shown |= {form.replace(catalog.SEPARATOR.strip(), "·") for form in shown}
    shown |= {written.rstrip("…").rstrip() for form in shown for written in (note_text(form), name_text(form))}
    return set(map(_composed, shown))


def _flexible(form: str) -> str:
    """Return the pattern of a form with any blanks between its words and any form of its quotes."""
    text = r"\s+".join(map(re.escape, form.split()))
    return _QUOTE.sub(lambda quote: f"[{APOSTROPHES if quote[0] in APOSTROPHES else QUOTES}]", text)


def _cut_lengths(form: str) -> range:
    """Return the lengths at which a note may have cut off a name; a few letters do not identify a person."""
    return range(min(len(form) - 1, MAX_NAME), MIN_NAME_LENGTH, -1)


def _catalog_words(plans: Iterable[Plan]) -> set[str]:
    """Return the case-folded words of the catalog texts and plan names."""
    texts = [*catalog.TEXTS.values(), *(style.many for style in catalog.STYLES.values())]
    texts += [text for plan in plans for text in (plan.name, plan.title)]
    return {word.casefold() for text in texts for word in (text, *re.findall(r"\w+", text))}
