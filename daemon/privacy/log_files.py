"""The log file kept by us, cleaned in place while the daemon goes on writing to it.

What is taken out is overwritten by as many signs: no byte moves, so whoever appends or renames the file meanwhile is
not disturbed. Lines are JSON in ASCII, as `daemon.runtime.logs` writes them.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules.privacy.erasure import NamePatterns

MASK = "*"


def mask(file: Path, needles: NamePatterns, customer_id: str) -> int:
    """Overwrite the person's name and address in the log and its renamed predecessors; how many lines held one."""
    return sum(_mask(one, needles, customer_id) for one in (file, *file.parent.glob(f"{file.name}.*")) if one.is_file())


def _mask(file: Path, needles: NamePatterns, customer_id: str) -> int:
    changed = 0
    with file.open("r+b") as log:
        while True:
            place, line = log.tell(), log.readline()
            if not line:
                return changed
            masked = masked_line(line, needles, customer_id)
            if masked != line:
                log.seek(place)
                log.write(masked)
                changed += 1


def masked_line(line: bytes, needles: NamePatterns, customer_id: str) -> bytes:
    """The line, as long as it was, without what the needles find in any of its texts."""
    try:
        told = json.loads(line)
    except ValueError:
        return line
    tied = isinstance(told, dict) and told.get("customer_id") == customer_id
    for text in sorted({found for one in _texts(told) for found in _found(one, needles, tied)}, key=len, reverse=True):
        plain = json.dumps(text)[1:-1].encode("ascii")
        line = line.replace(plain, MASK.encode() * len(plain))
    return line


def _found(text: str, needles: NamePatterns, tied: bool) -> Iterator[str]:
    yield from needles.found(text)
    if tied:  # a line about the person: also a name that is a common word
        for name in needles.common:
            yield from (match[0] for match in re.finditer(re.escape(name), text, re.IGNORECASE))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
