"""System programs that some tests need; without one, the test is skipped with the reason."""

import os
import shutil
from typing import NoReturn

import pytest

PACKAGES = {
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
    "mmdebstrap": "mmdebstrap",
    "nginx": "nginx-light",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "shellcheck": "shellcheck",
    "systemd-analyze": "systemd",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}


def tool(name: str) -> str:
    """Return the path of a program; without it, skip the test, or fail it if CHATELLO_TEST_NEEDS_TOOLS is set (CI)."""
    found = shutil.which(name)
    if found is None:
        missing(name, f"it is not installed (apt-get install {PACKAGES[name]})")
    return found


def missing(what: str, why: str, required: str = "CHATELLO_TEST_NEEDS_TOOLS") -> NoReturn:
    """Skip the test, or fail it if the environment variable `required` is set."""
    message = f"not tested: {what}: {why}"
    if os.environ.get(required):
        pytest.fail(message)
    pytest.skip(message)
