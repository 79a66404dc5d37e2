"""`make demo`: it shows the main job, ends by itself, and leaves nothing running."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.shop import ROOT


def running(variable: str) -> list[str]:
    """The processes of this machine that were started with an environment variable set so."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(process.name)
        except OSError:
            continue
    return found


def test_the_demo_ends_by_itself_with_the_table_and_leaves_nothing_running() -> None:
    poisoned = {**os.environ, "MONGODB_URI": "mongodb://production.invalid/", "MONGODB_DATABASE": "x"}
    found = subprocess.run(
        [sys.executable, "-m", "daemon", "demo", "--seconds", "4", "--seed", "5"],
        cwd=ROOT,
        env=poisoned,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert found.returncode == 0, found.stderr
    assert "Nuovo cliente" in found.stdout
    assert "Clienti Paganti" in found.stdout
    assert re.search(r"http://127\.0\.0\.1:\d+/analytics", found.stdout)
    assert "production" not in found.stdout + found.stderr
    assert running("MONGODB_DATABASE=chatello_demo") == []
