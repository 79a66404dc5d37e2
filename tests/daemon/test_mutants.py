"""The report of `make mutants`."""

import json
from pathlib import Path

from tests.mutants import modules

SOURCE = """
def x_double__mutmut_orig(number):
    return number * 2


def x_double__mutmut_1(number):
    return number / 2


def x_double__mutmut_2(number):
    return number * 3
"""


def test_the_report_shows_the_change_of_each_survivor_and_counts_no_equivalent_mutant(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "text.py").write_text(SOURCE)
    codes = {f"rules.text.x_double__mutmut_{number}": code for number, code in ((1, 0), (2, 1))}
    (tmp_path / "rules" / "text.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    change = "rules/text: double: -return number * 2 +return number / 2"

    [module] = modules(tmp_path)
    assert (module.name, module.survivors, module.score) == ("rules/text", [change], 0.5)
    [module] = modules(tmp_path, frozenset([change]))
    assert (module.verdicts, module.survivors, module.score) == ({"killed": 1, "equivalent": 1}, [], 1.0)


def test_a_function_without_a_test_counts_and_one_that_did_not_run_does_not(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "text.py").write_text(SOURCE)
    codes = dict.fromkeys(("a", "b"), 33) | {"c": None, "d": 1}
    (tmp_path / "rules" / "text.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))

    [module] = modules(tmp_path)
    assert module.verdicts == {"without test": 2, "not run": 1, "killed": 1}
    assert module.score == 1 / 3
