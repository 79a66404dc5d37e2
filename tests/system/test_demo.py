"""`make demo`: it demonstrates the daemon, stops after the given time and leaves no process or file."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

from tests.shop import ROOT

MARKER = "DEMO_TEST_RUN"
"""Environment variable that all processes of one demo inherit; its value is unique to one test run."""


def running(marker: str) -> list[str]:
    """Return the ids of the processes that inherited a marker, even if their parent has ended."""
    entry = f"{MARKER}={marker}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if entry in (process / "environ").read_bytes().split(b"\0"):
                found.append(process.name)
        except OSError:
            continue
    return found


def test_the_demo_stops_by_itself_with_the_table_and_leaves_no_process_or_file(tmp_path: Path) -> None:
    marker = uuid.uuid4().hex
    environment = {
        **os.environ,
        "MONGODB_URI": "mongodb://production.invalid/",
        "MONGODB_DATABASE": "x",
        "TMPDIR": str(tmp_path),
        MARKER: marker,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "daemon", "demo", "--seconds", "4", "--seed", "5"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        first_line = demo.stdout.readline()
        assert str(demo.pid) in running(marker)
        output, errors = demo.communicate(timeout=120)

    assert demo.returncode == 0, errors
    assert "replica set" in first_line
    assert "Nuovo cliente" in output
    assert "Clienti Paganti" in output
    assert re.search(r"http://127\.0\.0\.1:\d+/analytics", output)
    assert "production" not in first_line + output + errors
    assert running(marker) == []
    assert list(tmp_path.iterdir()) == []
