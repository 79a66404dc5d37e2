"""The benchmark runs at a fraction of its size and keeps the hand-written text of its page."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bench import checkout, page
from bench.against import compared
from bench.checkout import Checkout
from bench.measures import Bench, Row, Sample, run_rounds
from tests.shop import ROOT

PROSE = f"# Performance\n\nWritten by hand.\n\n{page.BEGIN}\nold\n{page.END}\n\n## Also by hand\n"


def test_a_group_of_rows_is_measured_and_written_between_the_markers(tmp_path: Path) -> None:
    (tmp_path / page.PAGE).write_text(PROSE)
    command = ["-m", "bench", "--only", "latency", "--scale", "0.01", "--repetitions", "1", "--into", str(tmp_path)]
    environment = {**os.environ, checkout.INTERPRETER: sys.executable}
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, timeout=150, env=environment)

    written = (tmp_path / page.PAGE).read_text()
    found = json.loads((tmp_path / page.NUMBERS).read_text())["latency"]
    assert written.startswith(PROSE.partition("old")[0])
    assert written.endswith(PROSE.partition("old")[2])
    assert "| delay from a written license to its readable event, p50 | at most 2.5 |" in written
    assert found["machine"]["processor"] in written
    assert found["machine"]["Python"] in written
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
    assert table == ["| size | - | 3 MB |  | 1 |", "| speed | at least 2 | 1.5 | **missed** | 1 |"]


def test_each_row_has_the_number_of_the_run_that_measured_it(tmp_path: Path) -> None:
    rows = {"one": Row("speed", "-", "1", None), "two": Row("size", "-", "3", None)}
    measured = {
        name: {"machine": {"measured": name, "commit": "abc", "Python": "3.11"}, "rows": [vars_of(row)]}
        for name, row in rows.items()
    }
    page.write(tmp_path, measured, ["two", "one"])

    written = (tmp_path / page.PAGE).read_text().splitlines()
    assert "| speed | - | 1 |  | 1 |" in written
    assert "| size | - | 3 |  | 2 |" in written
    assert written[-3:-1] == ["1. Measured one at abc: Python 3.11.", "2. Measured two at abc: Python 3.11."]


BOTH = tuple(Checkout(name, Path(), Path()) for name in ("new", "old"))


def test_a_comparison_shows_the_median_of_the_ratios_of_its_rounds() -> None:
    samples: dict[str, list[Sample]] = {
        "new": [{"seconds": 1.0}, {"seconds": 2.0}, {"seconds": 9.0}],
        "old": [{"seconds": 2.0}, {"seconds": 2.0}, {"seconds": 10.0}],
    }
    (row,) = compared("backlog", (BOTH[0], BOTH[1]), samples, ["seconds"])

    assert row.what == "backlog: seconds against old"
    assert row.found == "0.90 (rounds 0.50, 1.00, 0.90; 2 against 2)"


def test_the_order_of_the_contenders_alternates() -> None:
    order: list[str] = []

    def contender(name: str) -> Sample:
        order.append(name)
        return {}

    bench = Bench(None, 1.0, 3)  # type: ignore[arg-type]  # no contender here uses the server
    run_rounds(bench, {name: partial(contender, name) for name in ("new", "old")})
    assert order == ["new", "old", "old", "new", "new", "old"]


def test_checkouts_share_a_venv_only_with_the_same_packages_and_python() -> None:
    name = checkout.venv_name(b"pymongo==4.20.0", "Python 3.11.2")
    assert name == checkout.venv_name(b"pymongo==4.20.0", "Python 3.11.2")
    assert name != checkout.venv_name(b"pymongo==4.21.0", "Python 3.11.2")
    assert name != checkout.venv_name(b"pymongo==4.20.0", "Python 3.12.0")


def test_a_commit_is_measured_in_a_worktree_that_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(checkout.INTERPRETER, sys.executable)
    with checkout.at("HEAD") as other:
        assert (other.root / "daemon" / "__main__.py").is_file()
        assert other.root != ROOT
    assert not other.root.exists()


def test_an_unknown_commit_is_an_error_that_names_it() -> None:
    with pytest.raises(RuntimeError, match="no-such-commit"), checkout.at("no-such-commit"):
        pass


def vars_of(row: Row) -> dict[str, object]:
    return {"what": row.what, "goal": row.goal, "found": row.found, "met": row.met, "samples": {}}
