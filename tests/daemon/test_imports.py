"""What is loaded when: a person waits for `--help`, and the stream for the daemon, as short as what they need."""

import subprocess
import sys

import pytest

from tests.shop import ROOT

DATABASE = ("pymongo", "bson")
WEB = ("fastapi", "starlette", "uvicorn", "jinja2")


@pytest.mark.parametrize(
    ("wanted", "never"),
    [
        ("daemon.cli", (*DATABASE, *WEB, "pydantic", "structlog", "rich", "holidays", "asyncio")),
        ("daemon.app", (*WEB, "holidays", "xlsxwriter", "pyarrow")),
        ("daemon.app, daemon.web.app, uvicorn", ("holidays", "xlsxwriter", "pyarrow")),
    ],
)
def test_nothing_is_loaded_before_it_is_needed(wanted: str, never: tuple[str, ...]) -> None:
    program = f"import sys, {wanted}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())

    assert wanted.split(", ", maxsplit=1)[0] in loaded
    assert loaded.isdisjoint(never)
