"""Project texts use the field's terms: a list of banned words, searched in comments, strings and documentation."""

import io
import re
import token
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shop import ROOT

BANNED = re.compile(
    r"\b(told|tells?|untold|retold|hears?|heard|anew|whoever|owed|mend(s|ed|ing)?|cure[sd]?|somebody|nobody"
    r"|licence[sd]?|lately)\b",
    re.IGNORECASE,
)

ITALIAN = {
    *("rules/settings/catalog.py", "rules/settings/message_texts.py"),
    *(str(path.relative_to(ROOT)) for path in ROOT.glob("daemon/web/page/*texts.py")),
}
"""Modules whose strings are Italian: only their comments and docstrings are searched."""

TEXT_TOKENS = {token.COMMENT, token.STRING, getattr(token, "FSTRING_MIDDLE", token.STRING)}
"""Docstrings, messages, help texts and log events are strings; Python 3.12 splits f-strings into parts."""

STORED_NAME = re.compile(r"[\"']\w+[\"']")
"""A string of one word is a name, such as a field of a stored document."""

GROUPS = {
    "daemon": [
        *ROOT.glob("daemon/**/*.py"),
        *ROOT.glob("daemon/web/page/templates/*"),
        *ROOT.glob("daemon/web/page/static/*"),
    ],
    "rules": [*ROOT.glob("rules/**/*.py")],
    "tests": [path for path in ROOT.glob("tests/**/*.py") if path != Path(__file__)],
    "bench": [*ROOT.glob("bench/**/*.py")],
    "docs": [*ROOT.glob("docs/*.md"), *ROOT.glob("*.md")],
    "deploy": [path for path in ROOT.glob("deploy/**/*") if path.is_file() and path.suffix != ".pyc"],
    "build": [*ROOT.glob("*.service"), *ROOT.glob(".ci/*"), ROOT / "Makefile", ROOT / "pyproject.toml"],
}


def texts(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Yield line number and text of each passage: comments and strings of Python, prose without `code` of Markdown."""
    source = path.read_text()
    if path.suffix != ".py":
        lines = source.splitlines()
        quoted = re.compile(r"`[^`]*`" if path.suffix == ".md" else r"$^")
        yield from enumerate((quoted.sub("", line) for line in lines), start=1)
        return
    italian = str(path.relative_to(root)) in ITALIAN
    for found in tokenize.generate_tokens(io.StringIO(source).readline):
        if STORED_NAME.fullmatch(found.string):
            continue
        if found.type in TEXT_TOKENS and not (italian and found.type != token.COMMENT and '"""' not in found.string):
            for offset, line in enumerate(found.string.splitlines()):
                yield found.start[0] + offset, line


def banned(path: Path, root: Path = ROOT) -> list[str]:
    name = path.relative_to(root)
    return [f"{name}:{line} {found[0]}" for line, text in texts(path, root) for found in BANNED.finditer(text)]


@pytest.mark.parametrize("group", GROUPS)
def test_no_text_of_the_project_uses_a_banned_word(group: str) -> None:
    assert GROUPS[group], "the folder has moved"
    found = [place for path in sorted(GROUPS[group]) for place in banned(path)]

    assert not found, "\n".join(["use the field's terms instead:", *found])


@pytest.mark.parametrize(
    ("source", "line"),
    [('"""Whoever reads."""\n', 1), ("x = 1\n# told so\n", 2), ('log.info("row.told")\n', 1), ('f"{told} heard"\n', 1)],
)
def test_a_banned_word_is_found_in_each_kind_of_text(source: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(source)

    assert [place.split()[0] for place in banned(tmp_path / "module.py", tmp_path)][:1] == [f"module.py:{line}"]


def test_names_are_not_searched(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text('told = document["told_by_others"]["told"]\n')

    assert banned(tmp_path / "module.py", tmp_path) == []
