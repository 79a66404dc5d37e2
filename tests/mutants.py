"""Report of `make mutants`: the score of each module of rules/, and the difference of each surviving mutant."""

import ast
import difflib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SURVIVED, NO_TEST = 0, 33
"""Exit codes that mutmut stores by mutant; one that has not run yet has none."""
EQUIVALENT = Path(__file__).parent / "equivalent_mutants.txt"
"""Mutants that change nothing anybody can see, one per line: module, difference."""


class Module(NamedTuple):
    """Verdicts of one module, and its survivors: the name of a function and the changed lines."""

    name: str
    verdicts: Counter[str]
    survivors: list[str]

    @property
    def score(self) -> float:
        """Return the share of killed mutants among those that ran and are not known to be equivalent."""
        counted = self.verdicts["killed"] + self.verdicts["survived"] + self.verdicts["without test"]
        return self.verdicts["killed"] / counted if counted else 1.0


def modules(folder: Path, equivalent: frozenset[str] = frozenset()) -> Iterator[Module]:
    for stored in sorted(folder.glob("rules/**/*.meta")):
        codes: dict[str, int | None] = json.loads(stored.read_text())["exit_code_by_key"]
        name = str(stored.relative_to(folder)).removesuffix(".py.meta")
        changes = {key: f"{name}: {text}" for key, text in _changes(stored.with_suffix(""), codes).items()}
        verdicts = Counter(_verdict(code, changes.get(key, "") in equivalent) for key, code in codes.items())
        survivors = [changes[key] for key, code in codes.items() if code == SURVIVED and changes[key] not in equivalent]
        if codes:
            yield Module(name, verdicts, survivors)


def _verdict(code: int | None, is_equivalent: bool) -> str:
    if code is None:
        return "not run"
    if code == NO_TEST:
        return "without test"
    if code == SURVIVED:
        return "equivalent" if is_equivalent else "survived"
    return "killed"


def _changes(file: Path, codes: dict[str, int | None]) -> dict[str, str]:
    """Return function and changed lines of each survivor."""
    lines = file.read_text().splitlines()
    functions = {
        node.name: [line.strip() for line in lines[node.lineno : node.end_lineno]]
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, ast.FunctionDef)
    }
    return {key: _change(key.rpartition(".")[2], functions) for key, code in codes.items() if code == SURVIVED}


def _change(mutant: str, functions: dict[str, list[str]]) -> str:
    name = mutant.partition("__mutmut_")[0]
    found = difflib.unified_diff(functions[f"{name}__mutmut_orig"], functions[mutant], lineterm="", n=0)
    changed = [line for line in found if not line.startswith(("---", "+++", "@@"))]
    return f"{name.removeprefix('x_')}: {' '.join(changed)}"


def main(folder: str = "mutants") -> None:
    equivalent = frozenset(line for line in EQUIVALENT.read_text().splitlines() if line)
    found = list(modules(Path(folder), equivalent))
    for module in found:
        print(*module.survivors, sep="\n", end="\n" if module.survivors else "")
    print(f"{'module':40} {'killed':>7} {'survived':>9} {'no test':>8} {'equal':>6} {'not run':>8} {'score':>6}")
    total = Module("rules", sum((module.verdicts for module in found), Counter()), [])
    for name, verdicts, _ in (*found, total):
        shown = (verdicts[kind] for kind in ("killed", "survived", "without test", "equivalent", "not run"))
        killed, survived, untested, equal, waiting = shown
        score = Module(name, verdicts, []).score
        print(f"{name:40} {killed:7} {survived:9} {untested:8} {equal:6} {waiting:8} {score:6.1%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
