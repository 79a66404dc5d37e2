"""The groups of tests/schedule.py name existing tests."""

import pytest

from tests.schedule import ORDER
from tests.shop import ROOT


@pytest.mark.parametrize("prefix", [prefix for group in ORDER for prefix in group])
def test_every_group_names_existing_tests(prefix: str) -> None:
    path, _, test = prefix.partition("::")

    assert (ROOT / path).exists()
    assert not test or f"def {test}" in (ROOT / path).read_text()
