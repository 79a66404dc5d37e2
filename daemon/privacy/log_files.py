"""Redaction of the daemon's log file in place, while the daemon appends to it.

Each name is overwritten by a mask of the same length: no byte moves, so the file can be appended to or renamed at the
same time. Lines are JSON as `daemon.runtime.logs` writes them.
"""

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from daemon.runtime import logs
from rules.privacy.erasure import NamePatterns

MASK = "*"


def mask_files(file: Path, patterns: NamePatterns, customer_ids: Collection[str], *, is_dry_run: bool = False) -> int:
    """Mask the customer's names and e-mail in the log and its rotated files; return the number of lines to change.

    `customer_ids` are the texts of the customer's id in lines. A dry run only counts.
    """
    files = (file, *file.parent.glob(f"{file.name}.*"))
    return sum(_mask_file(one, patterns, customer_ids, is_dry_run) for one in files if one.is_file())


def _mask_file(file: Path, patterns: NamePatterns, customer_ids: Collection[str], is_dry_run: bool) -> int:
    changed = 0
    with file.open("rb" if is_dry_run else "r+b") as log:
        while True:
            position, line = log.tell(), log.readline()
            if not line:
                return changed
            masked = masked_line(line, patterns, customer_ids)
            if masked != line:
                changed += 1
                if not is_dry_run:
                    log.seek(position)
                    log.write(masked)


def masked_line(line: bytes, patterns: NamePatterns, customer_ids: Collection[str]) -> bytes:
    """Return the line with all matches of the patterns in its strings masked; its length is unchanged."""
    try:
        record = json.loads(line)
    except ValueError:
        record = line.decode(errors="replace")
    about_customer = isinstance(record, dict) and str(record.get("customer_id")) in customer_ids
    found = {match for text in _strings(record) for match in _matches(text, patterns, about_customer)}
    for text in sorted(found, key=len, reverse=True):
        for encoded in {text, logs.to_json(text)[1:-1], json.dumps(text)[1:-1]}:  # older versions wrote ASCII
            plain = encoded.encode()
            line = line.replace(plain, MASK.encode() * len(plain))
    return line


def _matches(text: str, patterns: NamePatterns, about_customer: bool) -> Iterator[str]:
    yield from patterns.find(text)
    if about_customer:  # such a line also contains names that are common words
        for name in patterns.common:
            yield from (match[0] for match in re.finditer(re.escape(name), text, re.IGNORECASE))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
