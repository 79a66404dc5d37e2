"""Programs of the system that some tests need: found, or the test says loudly what it did not show."""

import os
import shutil

import pytest

PACKAGES = {"promtool": "prometheus", "prometheus": "prometheus", "amtool": "prometheus-alertmanager"}


def tool(name: str) -> str:
    """The program's path. Without it the test is skipped, or fails where CHATELLO_TEST_NEEDS_TOOLS is set (CI)."""
    found = shutil.which(name)
    if found is None:
        told = f"NOT SHOWN: {name} is not installed (apt-get install {PACKAGES[name]})"
        if os.environ.get("CHATELLO_TEST_NEEDS_TOOLS"):
            pytest.fail(told)
        pytest.skip(told)
    return found
