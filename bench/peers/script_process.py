"""The script of an afternoon as a process."""

import subprocess
from pathlib import Path

from bench.checkout import this

FILE = Path(__file__).parent / "transaction_script.py"
SCRIPT = "the script"
RUN_SECONDS = 1800


class ScriptProcess:
    """A running script; `ready` is printed once its stream is open."""

    def __init__(self, uri: str, database: str, count: int | None = None) -> None:
        command = [str(this().python), str(FILE), uri, database, *([] if count is None else [str(count)])]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(self.problem())

    def result(self) -> float:
        """Wait for the end; return the seconds that it printed."""
        out, problem = self.process.communicate(timeout=RUN_SECONDS)
        if self.process.returncode:
            raise RuntimeError(problem[-1000:])
        return float(out.split()[-1])

    def problem(self) -> str:
        """Wait for the end; return the last line of the traceback."""
        return (self.process.communicate(timeout=RUN_SECONDS)[1].strip().splitlines() or [""])[-1]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
