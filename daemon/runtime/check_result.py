"""Result of one check before a start."""

from typing import NamedTuple


class CheckResult(NamedTuple):
    """`hint` is empty if the check passed."""

    subject: str
    found: str
    hint: str = ""
