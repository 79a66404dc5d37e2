"""Forgetting a person: what stands where the name stood, and how texts that hold it are found. Pure.

Whoever is forgotten is known by a hash of the id alone. What arrives about them has no name any more, so none of the
rules needs to know; what was told about them is told again without it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rules.model.changes import Change, Fields, Operation, Plan
from rules.privacy import rendering
from rules.settings import catalog
from rules.settings.catalog import FORGOTTEN
from rules.settings.settings import Settings
from rules.text import MAX_NAME, one_line

PERSONAL = ("name", "company", "email")
"""The fields of a customer that say who it is."""

SHORTEST = 3
"""A shorter name would be found in half of all texts."""


def without_personal_data(change: Change) -> Change:
    """A change of a forgotten customer, without what says who it is."""
    if change.op in (Operation.INSERT, Operation.REPLACE):
        return change._replace(fields=fields_without_personal_data(change.fields))
    return change._replace(
        fields={path: value for path, value in change.fields.items() if not _is_personal(path)},
        removed=tuple(path for path in change.removed if not _is_personal(path)),
        truncated=tuple(one for one in change.truncated if not _is_personal(one[0])),
    )


def fields_without_personal_data(fields: Fields) -> Fields:
    """A forgotten customer's document: the placeholder is its name."""
    return {**{path: value for path, value in fields.items() if not _is_personal(path)}, "name": FORGOTTEN}


def _is_personal(path: str) -> bool:
    return path.partition(".")[0] in PERSONAL


def redacted_event(stored: Mapping[str, Any], plans: Mapping[str, Plan], settings: Settings) -> dict[str, Any]:
    """A stored event about somebody forgotten, told without the name; one that is so already stays as it is.

    `plans` are by name. Where the event does not carry enough to be told again, the placeholder is all it says.
    """
    metadata = stored.get("metadata")
    facts = metadata if isinstance(metadata, Mapping) else {}
    if facts.get("customer_name") == FORGOTTEN:
        return dict(stored)
    told = {**stored, "description": "", "metadata": {**facts, "customer_name": FORGOTTEN}}
    return {**told, "description": rendering.rendered(told, plans, settings) or FORGOTTEN}


class NamePatterns(NamedTuple):
    """What is looked for in texts. `common` ones are words of our own texts too: they are no sign of the person.

    The pattern's group `kept` is the name of somebody else in which one stands. `probes` are how names begin, in small
    letters: a text without any of them need not be looked at more closely.
    """

    pattern: re.Pattern[str] | None
    common: tuple[str, ...]
    probes: tuple[str, ...] = ()

    def _may_hold(self, text: str) -> bool:
        small = text.casefold()
        return any(probe in small for probe in self.probes)

    def found(self, text: str) -> Iterator[str]:
        """Each one as it stands in a text."""
        if self.pattern is not None and self._may_hold(text):
            yield from (match[0] for match in self.pattern.finditer(text) if match["kept"] is None)

    def holds(self, value: Any) -> bool:
        """Whether any text in a value, at any depth, holds one."""
        if isinstance(value, str):
            return next(self.found(value), None) is not None
        if isinstance(value, Mapping):
            return any(self.holds(key) or self.holds(one) for key, one in value.items())
        return isinstance(value, list) and any(map(self.holds, value))

    def without(self, value: Any) -> Any:
        """The value with the placeholder in every text that holds one."""
        if isinstance(value, str):
            return self.pattern.sub(_taken_out, value) if self.pattern and self._may_hold(value) else value
        if isinstance(value, Mapping):
            return {self.without(key): self.without(one) for key, one in value.items()}
        return [self.without(one) for one in value] if isinstance(value, list) else value


def _taken_out(match: re.Match[str]) -> str:
    return match["kept"] or FORGOTTEN


def name_patterns(names: Iterable[str], plans: Iterable[Plan], others: Iterable[str] = ()) -> NamePatterns:
    """The names and addresses of a person as they may stand in a text: whole, cut, and made fit for one line.

    `others` are other people's names in which one of them stands: they are left whole. A namesake's name is the same.
    """
    words = _catalog_words(plans)
    wanted = {form for name in names for form in _forms(name) if form and form != FORGOTTEN}
    common = {form for form in wanted if len(form) < SHORTEST or form.casefold() in words}
    plain = sorted(wanted - common, key=len, reverse=True)
    if not plain:
        return NamePatterns(None, tuple(sorted(common)))
    forms = [_flexible(form) for form in plain]
    cut = [rf"{re.escape(form[:size])}\s?…" for form in plain for size in _cuts(form)]
    whole = rf"(?:{'|'.join(forms)})(?!\w)…?"
    text = rf"(?<!\w)(?:{_kept(others, wanted)}|{'|'.join([whole, *cut])})"
    probes = {form.split()[0][: SHORTEST + 1].casefold() for form in plain}
    return NamePatterns(re.compile(text, re.IGNORECASE), tuple(sorted(common)), tuple(sorted(probes)))


def _kept(others: Iterable[str], wanted: set[str]) -> str:
    """The group `kept`: these names, the longest first; one that nothing is when there is none."""
    same = {form.casefold() for form in wanted}
    forms = {form for name in others for form in _forms(name) if form and form.casefold() not in same}
    longest = sorted(forms, key=len, reverse=True)
    return rf"(?P<kept>(?:{'|'.join(map(_flexible, longest)) or '(?!)'})(?!\w))"


def _forms(name: str) -> set[str]:
    """A name as it was written, as a note shows it, and with the sign that parts facts taken out of it."""
    shown = {name.strip(), one_line(name), one_line(name, MAX_NAME).rstrip("…").rstrip()}
    return shown | {form.replace(catalog.SEPARATOR.strip(), "·") for form in shown}


def _flexible(form: str) -> str:
    return r"\s+".join(map(re.escape, form.split()))


def _cuts(form: str) -> range:
    """The lengths at which a note may have cut a name off; a few letters alone are no sign of anybody."""
    return range(min(len(form) - 1, MAX_NAME), SHORTEST, -1)


def _catalog_words(plans: Iterable[Plan]) -> set[str]:
    """Words that stand in our own texts, whoever they are about."""
    texts = [*catalog.TEXTS.values(), *(style.many for style in catalog.STYLES.values())]
    texts += [text for plan in plans for text in (plan.name, plan.title)]
    return {word.casefold() for text in texts for word in (text, *re.findall(r"\w+", text))}
