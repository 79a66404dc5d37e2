"""The benchmark runs at a fraction of its size and keeps the hand-written text of its page."""

import json
import subprocess
import sys
from pathlib import Path

from bench import page
from bench.measures import Row
from tests.shop import ROOT

PROSE = f"# Performance\n\nWritten by hand.\n\n{page.BEGIN}\nold\n{page.END}\n\n## Also by hand\n"


def test_a_group_of_rows_is_measured_and_written_between_the_markers(tmp_path: Path) -> None:
    (tmp_path / page.PAGE).write_text(PROSE)
    command = ["-m", "bench", "--only", "latency", "--scale", "0.01", "--repetitions", "1", "--into", str(tmp_path)]
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, timeout=150)

    written = (tmp_path / page.PAGE).read_text()
    found = json.loads((tmp_path / page.NUMBERS).read_text())["latency"]
    assert written.startswith(PROSE.partition("old")[0])
    assert written.endswith(PROSE.partition("old")[2])
    assert "| delay from a written license to its readable event, p50 | at most 2.5 |" in written
    assert found["machine"]["processor"] in written
    assert set(found["rows"][0]["samples"]) == {"the daemon", "bare loop"}
    assert found["rows"][0]["samples"]["the daemon"][0]["p50"] > 0


def test_rows_of_earlier_runs_are_kept_and_a_missed_goal_is_marked(tmp_path: Path) -> None:
    measured = {
        name: {"machine": {"measured": "today", "commit": "abc"}, "rows": [vars_of(row)]}
        for name, row in (("one", Row("speed", "at least 2", "1.5", False)), ("two", Row("size", "-", "3 MB", None)))
    }
    page.write(tmp_path, measured, ["two", "one"])
    page.write(tmp_path, page.load(tmp_path), ["two", "one"])

    table = [line for line in (tmp_path / page.PAGE).read_text().splitlines() if line.startswith("| s")]
    assert table == ["| size | - | 3 MB |  |", "| speed | at least 2 | 1.5 | **missed** |"]


def vars_of(row: Row) -> dict[str, object]:
    return {"what": row.what, "goal": row.goal, "found": row.found, "met": row.met, "samples": {}}
