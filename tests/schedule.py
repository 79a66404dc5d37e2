"""Order and distribution of the tests over several workers (`pytest -n`).

Tests that share an expensive resource (a machine, a browser, a server) or that are CPU-bound form a group. One worker
runs a group, one test after another, so that its resource exists at most once. Groups start early, so that none is left
running alone at the end.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

Group = tuple[str, ...]
"""Prefixes of test ids."""
UNGROUPED: Group = ("tests/simulation/",)
"""Distributed one by one. These tests mostly wait, so they run well beside the two CPU-bound groups before them."""

ORDER: tuple[Group, ...] = (
    ("tests/system/test_installer.py", "tests/system/test_systemd.py"),
    ("tests/faults/test_masses.py", "tests/system/test_process.py::test_kill_nine"),
    UNGROUPED,
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
"""All other tests come after these and are distributed one by one."""


def position(nodeid: str) -> int:
    """Return the index of a test's group in `ORDER`, or its length for a test without a group."""
    return next((n for n, group in enumerate(ORDER) if nodeid.startswith(group)), len(ORDER))


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]  # the library is untyped
    """Distributes one group after another, in the order of collection.

    Replaces `--dist loadgroup`, whose marks are lost with pytest 9.2 (pytest-xdist, issue 1386).
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of a test's group."""
        group = next((group for group in ORDER if nodeid.startswith(group)), UNGROUPED)
        return nodeid if group is UNGROUPED else group[0]
