"""Checkouts to measure, each with the interpreter that runs its daemon.

As after an installation, that is the system's Python with the pinned packages of requirements/run.txt in a venv.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".bench"
SYSTEM_PYTHON = "/usr/bin/python3"
INTERPRETER = "CHATELLO_BENCH_INTERPRETER"
"""Environment variable: run the daemon with this interpreter, which has its packages, instead of a venv made here."""

INSTALL_SECONDS = 600
OPTIONS = ("--enable-optimizations", "--with-lto", "--enable-shared")
"""Options of Python's `configure` that affect its speed."""

_DESCRIBE = """
import json, platform, pymongo, sys, sysconfig
known = sysconfig.get_config_vars()
print(json.dumps({"version": platform.python_version(), "executable": sys._base_executable,
"compiler": platform.python_compiler(), "flags": known.get("OPT") or "", "options": known.get("CONFIG_ARGS") or "",
"pymongo": pymongo.version}))
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Source files and the interpreter for their daemon."""

    name: str
    root: Path
    python: Path


@cache
def this() -> Checkout:
    return Checkout(_describe_commit(ROOT), ROOT, interpreter(ROOT))


@contextmanager
def at(commit: str) -> Iterator[Checkout]:
    """Yield a checkout of a commit, in a git worktree that is removed afterwards."""
    name = _git("rev-parse", "--short", f"{commit}^{{commit}}")
    root = FOLDER / "checkouts" / f"{name}-{os.getpid()}"
    _git("worktree", "add", "--quiet", "--detach", str(root), name)
    try:
        yield Checkout(name, root, interpreter(root))
    finally:
        _git("worktree", "remove", "--force", str(root))


def interpreter(root: Path) -> Path:
    """Return the interpreter with the packages that a checkout pins; make its venv if there is none yet."""
    if given := os.environ.get(INTERPRETER):
        return Path(given)
    lock = root / "requirements" / "run.txt"
    venv = FOLDER / "venvs" / venv_name(lock.read_bytes(), _run([SYSTEM_PYTHON, "-VV"]))
    if not (venv / "complete").exists():
        print(f"creating {venv.relative_to(ROOT)} with {SYSTEM_PYTHON}", flush=True)
        _install(root, lock, venv)
        (venv / "complete").touch()
    return venv / "bin" / "python"


def venv_name(lock: bytes, python: str) -> str:
    """Return the name of the venv for pinned packages and a Python: equal inputs share one."""
    return hashlib.sha256(lock + python.encode()).hexdigest()[:10]


def _install(root: Path, lock: Path, venv: Path) -> None:
    """Do what `make_version` of deploy/installer/version.sh does.

    Of the installed daemon only the metadata are used: it is started in a checkout, whose modules take precedence.
    """
    _run([SYSTEM_PYTHON, "-m", "venv", "--clear", "--without-pip", str(venv)])
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    into = [*pip, "--python", str(venv / "bin" / "python"), "install"]
    _run([*into, "--require-hashes", "-r", str(lock)])
    with tempfile.TemporaryDirectory(prefix="chatello-bench-") as folder:
        _run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, str(root)])
        _run([*into, "--no-deps", "--no-index", *map(str, Path(folder).glob("*.whl"))])


def describe(checkout: Checkout) -> dict[str, str]:
    """Return versions and build of the interpreter of a checkout."""
    found = json.loads(_run([str(checkout.python), "-c", _DESCRIBE]))
    options = [option for option in OPTIONS if option in found["options"]]
    configured = f"configured with {' '.join(options)}" if options else f"configured without {', '.join(OPTIONS)}"
    build = f"{found['executable']}, {found['compiler']}, {found['flags']}, {configured}"
    return {"Python": f"{found['version']} ({build})", "PyMongo": found["pymongo"]}


def _describe_commit(root: Path) -> str:
    git = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    except FileNotFoundError:
        return "unknown"


def _git(*arguments: str) -> str:
    return _run(["git", "-C", str(ROOT), *arguments])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-1000:]}")
    return done.stdout.strip()
