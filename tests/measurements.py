"""Measurements of the fault tests, for the table in docs/reliability.md.

`make measures` runs them several times with CHATELLO_TEST_MEASURES set to a file. Each test appends the time until all
events were recorded again, and the number of missing and duplicate events. `python -m tests.measurements FILE` writes
the table into the page, between its two markers.
"""

import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
HEAD = """| test | runs | events recorded | missing | duplicate | recovered after, median (maximum) | others |
| --- | --- | --- | --- | --- | --- | --- |
"""


def record(**measured: float) -> None:
    """Append measurements of the running test; names of durations end in `_seconds`."""
    file = os.environ.get("CHATELLO_TEST_MEASURES")
    if file:
        test = os.environ.get("PYTEST_CURRENT_TEST", "?").partition(" ")[0]
        with Path(file).open("a") as out:
            out.write(json.dumps({"test": test, **measured}) + "\n")


def table(lines: list[str]) -> str:
    """Return the table, one line per test function; each parametrized case counts as a run."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        measured: dict[str, Any] = json.loads(line)
        name = re.sub(r"\[.*", "", measured.pop("test").rpartition("::")[2])
        for key, value in measured.items():
            found[name][key].append(value)
    return HEAD + "".join(_row(name, values) for name, values in sorted(found.items()))


def _row(name: str, values: dict[str, list[float]]) -> str:
    recovery = values.pop("recovery_seconds", [])
    recorded, missing, duplicate = (values.pop(key, []) for key in ("recorded", "missing", "duplicate"))
    runs = max(len(recorded), len(recovery), *map(len, values.values()), 0)
    took = f"{median(recovery):.1f} s ({max(recovery):.1f} s)" if recovery else ""
    others = ", ".join(f"{key.replace('_', ' ')} {median(v):,.1f} ({max(v):,.1f})" for key, v in values.items())
    sentence = name.removeprefix("test_").replace("_", " ")
    counts = f"{sum(recorded):,.0f} | {sum(missing):,.0f} | {sum(duplicate):,.0f}" if recorded else " | | "
    return f"| {sentence} | {runs} | {counts} | {took} | {others} |\n"


def main(file: str) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + table(Path(file).read_text().splitlines()) + END + after)


if __name__ == "__main__":
    main(sys.argv[1])
