"""Who runs which tests, and when, where several workers share them (`pytest -n`).

The law of this room: what shares something dear (a machine, a browser, a server of its own) or computes much more than
it waits is one part, and one worker runs it, one test after another: so there is never more than one of it at a time.
The parts begin early, so that no worker is left with one of them when the others have nothing more to do.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

Part = tuple[str, ...]
"""By the beginnings of the tests' names."""
PATIENT: Part = ("tests/simulation/",)
"""No part: each test for itself. They wait more than they compute, so they go well with the two parts before them."""

ORDER: tuple[Part, ...] = (
    ("tests/system/test_installer.py", "tests/system/test_systemd.py"),
    ("tests/faults/test_masses.py", "tests/system/test_process.py::test_kill_nine"),
    PATIENT,
    ("tests/system/test_page.py",),
    ("tests/faults/test_commit.py",),
    ("tests/faults/test_access.py", "tests/system/test_logs.py", "tests/system/test_process.py::test_a_wrong_password"),
    ("tests/faults/test_replica_set.py",),
    ("tests/faults/test_lease.py",),
    ("tests/mongo/rollup/test_retention.py",),
    ("tests/mongo/diagnostics/test_row_audit.py", "tests/mongo/diagnostics/test_explanation.py"),
    ("tests/faults/test_network.py",),
    ("tests/faults/test_lost_history.py",),
)
"""All other tests come after these, each for itself."""


def place(nodeid: str) -> int:
    """Where a test stands in `ORDER`; behind all of it if it is in none of its parts."""
    return next((n for n, part in enumerate(ORDER) if nodeid.startswith(part)), len(ORDER))


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # the library tells no types
    """Hands out one part after another, in the order in which the tests were collected.

    In place of `--dist loadgroup`, whose marks pytest 9.2 does not see (pytest-xdist, issue 1386).
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        """The name of a test's part."""
        part = next((part for part in ORDER if nodeid.startswith(part)), PATIENT)
        return nodeid if part is PATIENT else part[0]
