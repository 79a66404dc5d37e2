"""Programs of the system that some tests need: found, or the test says loudly what it did not show."""

import os
import shutil
from typing import NoReturn

import pytest

PACKAGES = {
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "shellcheck": "shellcheck",
    "systemd-analyze": "systemd",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}


def tool(name: str) -> str:
    """The program's path. Without it the test is skipped, or fails where CHATELLO_TEST_NEEDS_TOOLS is set (CI)."""
    found = shutil.which(name)
    if found is None:
        missing(name, f"it is not installed (apt-get install {PACKAGES[name]})")
    return found


def missing(what: str, why: str, needed: str = "CHATELLO_TEST_NEEDS_TOOLS") -> NoReturn:
    """Skip the test loudly, or fail it where nothing may be skipped: where the variable `needed` is set."""
    told = f"NOT SHOWN: {what}: {why}"
    if os.environ.get(needed):
        pytest.fail(told)
    pytest.skip(told)
