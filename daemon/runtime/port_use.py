"""Distinguishes the service's own use of a TCP port from another program's, by what /proc shows to every user."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from daemon.config import paths

PROC = Path("/proc")
LISTENING = "0A"
PROGRAMS = ("chatello-analytics", "daemon")
"""Last parts of the argument that names the program: the installed command, or `-m daemon`."""


def is_used_by_service(port: int, configuration: Path) -> bool:
    """Return whether a user who listens on the port also runs the daemon with this configuration file."""
    users = set(_listening_users(port))
    return any(_owner(process) in users and _runs(process, configuration) for process in PROC.glob("[0-9]*"))


def _listening_users(port: int) -> Iterator[int]:
    """Yield the user ids of the sockets that listen on a port (proc(5), /proc/net/tcp)."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield int(fields[7])


def _owner(process: Path) -> int | None:
    with suppress(OSError):
        return process.stat().st_uid
    return None


def _runs(process: Path, configuration: Path) -> bool:
    with suppress(OSError):
        arguments = (process / "cmdline").read_text(errors="replace").split("\0")
        names = [Path(argument).name for argument in arguments]
        if "run" in names and not set(names[: names.index("run")]).isdisjoint(PROGRAMS):
            given = [after for before, after in pairwise(arguments) if before == "--config"]
            return Path(given[0] if given else paths.CONFIGURATION) == configuration
    return False
