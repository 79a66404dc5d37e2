"""What the tests of faults measured, for the table in docs/reliability.md.

`make measures` runs them several times with CHATELLO_TEST_MEASURES naming a file; each test notes there how long the
daemon took until everything was told again, and how many facts were found missing or doubled. `python -m tests.measures
FILE` puts the sums into the page, between its two marks.
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
HEAD = """| test | runs | facts told | missing | doubled | told again after, median (most) | besides |
| --- | --- | --- | --- | --- | --- | --- |
"""


def note(**facts: float) -> None:
    """Keep what the running test measured; seconds end in `_seconds`, counts are plain."""
    file = os.environ.get("CHATELLO_TEST_MEASURES")
    if file:
        test = os.environ.get("PYTEST_CURRENT_TEST", "?").partition(" ")[0]
        with Path(file).open("a") as out:
            out.write(json.dumps({"test": test, **facts}) + "\n")


def table(lines: list[str]) -> str:
    """One line per test function; its parameters are runs like any other."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        facts: dict[str, Any] = json.loads(line)
        name = re.sub(r"\[.*", "", facts.pop("test").rpartition("::")[2])
        for key, value in facts.items():
            found[name][key].append(value)
    return HEAD + "".join(_row(name, facts) for name, facts in sorted(found.items()))


def _row(name: str, facts: dict[str, list[float]]) -> str:
    again = facts.pop("again_seconds", [])
    told, missing, doubled = (facts.pop(key, []) for key in ("told", "missing", "doubled"))
    runs = max(len(told), len(again), *map(len, facts.values()), 0)
    took = f"{median(again):.1f} s ({max(again):.1f} s)" if again else ""
    besides = ", ".join(f"{key.replace('_', ' ')} {median(v):,.1f} ({max(v):,.1f})" for key, v in facts.items())
    sentence = name.removeprefix("test_").replace("_", " ")
    counts = f"{sum(told):,.0f} | {sum(missing):,.0f} | {sum(doubled):,.0f}" if told else " | | "
    return f"| {sentence} | {runs} | {counts} | {took} | {besides} |\n"


def main(file: str) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + table(Path(file).read_text().splitlines()) + END + after)


if __name__ == "__main__":
    main(sys.argv[1])
