"""docs/performance.json and the table in docs/performance.md: results, and the machine they were measured on."""

import json
import os
import platform
import re
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import checkout
from bench.measures import Bench, Row

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PAGE, NUMBERS = "performance.md", "performance.json"
HEAD = "| measurement | goal | result | | run |\n| --- | --- | --- | --- | --- |\n"

Measured = dict[str, dict[str, Any]]
"""By group: rows, scale and machine."""


def machine(bench: Bench) -> dict[str, str]:
    """Return the properties of the machine that affect the results."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),  # noqa: TID251 - dates the page
        "commit": checkout.this().name,
        "processor": f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        **checkout.describe(checkout.this()),
        "mongod": str(bench.server.client.server_info()["version"]),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "rounds": str(bench.repetitions),
    }


def load(folder: Path) -> Measured:
    file = folder / NUMBERS
    measured: Measured = json.loads(file.read_text()) if file.is_file() else {}
    return measured


def write(folder: Path, measured: Measured, order: list[str]) -> None:
    """Write both files; in the page only the text between the two markers is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {name: measured[name] for name in order if name in measured}
    (folder / NUMBERS).write_text(json.dumps(known, indent=1) + "\n")
    file = folder / PAGE
    text = file.read_text() if file.is_file() else f"# Performance\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    file.write_text(f"{before}{BEGIN}\n{_table(known)}{END}{after}")


def group(bench: Bench, rows: list[Row], described: dict[str, str]) -> dict[str, Any]:
    return {"machine": described, "scale": bench.scale, "rows": [asdict(row) for row in rows]}


def _table(measured: Measured) -> str:
    """Return the table; each row has the number of its run, whose line names the machine and the versions."""
    runs = sorted({_machine_line(one["machine"]) for one in measured.values()})
    lines = [
        _line(row, runs.index(_machine_line(one["machine"])) + 1) for one in measured.values() for row in one["rows"]
    ]
    return HEAD + "".join(lines) + "\n" + "".join(f"{number}. {line}\n" for number, line in enumerate(runs, 1))


def _line(row: dict[str, Any], run: int) -> str:
    mark = {True: "✓", False: "**missed**", None: ""}[row["met"]]
    return f"| {row['what']} | {row['goal']} | {row['found']} | {mark} | {run} |\n"


def _machine_line(described: dict[str, str]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in described.items() if name not in ("measured", "commit"))
    return f"Measured {described['measured']} at {described['commit']}: {facts}."
