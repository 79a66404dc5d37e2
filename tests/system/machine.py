"""A Debian machine with a real systemd for the tests, in systemd-nspawn on the host's network.

The root is created once and never written to; an overlay takes all writes and is deleted. All processes of a machine
end with this one, even after kill -9; the next run removes files that a killed run left.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.demo.embedded_mongo import die_with_parent, wait_for
from tests.shop import ROOT
from tests.system_tools import missing, tool

CACHE = Path("/var/cache/chatello-analytics-test")
SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "cron", "ca-certificates", "python3", "python3-venv")
"""Packages of a plain Debian server, and python3-venv as in the README."""
SOURCE, WHEELS = "/src", "/wheels"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": WHEELS,
}
CGROUPS = Path("/sys/fs/cgroup")
START = """
group=$1 layers=$2 top=$3; shift 3
for tree in "$0" "$0"/*; do
  if [ -e "$tree/cgroup.procs" ]; then mkdir "$tree/$group" && { echo $$ >"$tree/$group/cgroup.procs" || true; } fi
done 2>/dev/null
mount -t overlay overlay -o "$layers" "$top" && exec systemd-nspawn "$@"
"""
"""Put each machine into its own control groups: two systemds in one group kill each other's services."""
BOOTED = {"running", "degraded"}


class Machine:
    """One machine: `boot`, then `run` commands in it. Its files exist until `close`."""

    def __init__(self) -> None:
        self.root = _debian()
        self.wheels = _wheels()
        self.folder = _own_folder()
        self.container: subprocess.Popen[bytes] | None = None
        self.leader = 0

    def boot(self) -> None:
        """Start the machine and wait until systemd has finished booting."""
        layers = ",".join(
            (f"lowerdir={self.root}", f"upperdir={self._layer('upper')}", f"workdir={self._layer('work')}")
        )
        top = self._layer("top")
        command = [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-c", START, str(CGROUPS), self.folder.name, layers, top),
            *("--boot", f"--directory={top}", f"--machine=chatello-{os.getpid()}", "--register=no", "--keep-unit"),
            *("--console=pipe", "--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            *(f"--bind-ro={ROOT}:{SOURCE}", f"--bind-ro={self.wheels}:{WHEELS}"),
        ]
        with (self.folder / "console").open("ab") as console:
            self.container = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(os.getpid()),
            )
        wait_for(self._is_up, "the machine to boot", 90)

    def _layer(self, name: str) -> str:
        (self.folder / name).mkdir(exist_ok=True)
        return str(self.folder / name)

    def _is_up(self) -> bool:
        assert self.container is not None
        if self.container.poll() is not None:
            console = (self.folder / "console").read_text(errors="replace")
            raise RuntimeError(f"the machine did not boot: {console[-2000:]}")
        self.leader = next((pid for pid in _below(self.container.pid) if _is_systemd(pid)), 0)
        if not self.leader:
            return False
        with suppress(RuntimeError, subprocess.TimeoutExpired):
            return self.run("systemctl", "is-system-running", "--wait", check=False, seconds=60).strip() in BOOTED
        return False

    def run(self, *command: str, check: bool = True, seconds: float = 240, stdin: str = "", **environment: str) -> str:
        """Run a command as root; return its output, or raise RuntimeError with it if `check` is set and it fails."""
        finished = subprocess.run(
            ["nsenter", "--all", "--target", str(self.leader), *command],
            env={**ENVIRONMENT, **environment},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        if check and finished.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {finished.returncode}: {finished.stdout}")
        return finished.stdout

    def write(self, file: str, text: str, mode: str = "644") -> None:
        self.run("install", "-D", "-m", mode, "/dev/stdin", file, stdin=text)

    def shut_down(self, how: str = "poweroff") -> None:
        """Shut down with `poweroff` or `reboot`; `boot` can start the machine again."""
        self.run("systemctl", how, check=False)
        assert self.container is not None
        self.container.wait(60)

    def close(self) -> None:
        if self.container is not None:
            self.container.send_signal(signal.SIGKILL)
            self.container.wait(30)
        _remove(self.folder)


def require() -> None:
    """Skip the test (fail in CI) if no machine can be created here."""
    if os.geteuid() != 0:
        missing("a real systemd", "systemd-nspawn requires root")
    for name in ("systemd-nspawn", "mmdebstrap", "unshare", "nsenter"):
        tool(name)


def _debian() -> Path:
    """Return the root below every overlay; created again when the list of packages changes."""
    key = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]

    def make(target: Path) -> None:
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(target)]
        _succeed(command)
        (target / "etc" / "machine-id").write_text("")

    return _cached(f"root-{key}", make)


def _wheels() -> Path:
    """Download the pinned packages of the installer, so that machines need no index."""
    pinned = [ROOT / "requirements" / name for name in ("run-parquet.txt", "build.txt")]
    key = hashlib.sha256(b"".join(file.read_bytes() for file in pinned)).hexdigest()[:12]

    def make(target: Path) -> None:
        files = [argument for file in pinned for argument in ("-r", str(file))]
        _succeed([sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "-d", str(target), *files])

    return _cached(f"wheels-{key}", make)


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache; the first caller creates it while others wait."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = CACHE / name
        if not found.exists():
            partial = Path(tempfile.mkdtemp(prefix="partial-", dir=CACHE))
            partial.chmod(0o755)
            make(partial)
            partial.rename(found)
        return found


def _succeed(command: list[str]) -> None:
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if finished.returncode:
        raise RuntimeError(f"{command[0]} ended with {finished.returncode}: {finished.stdout[-2000:]}")


def _own_folder() -> Path:
    """Create a folder named after this process, and remove those of processes that have ended."""
    runs = CACHE / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for left in runs.iterdir():
        if not Path("/proc", left.name.partition("-")[0]).exists():
            _remove(left)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs))


def _remove(folder: Path) -> None:
    """Remove a machine's folder, and its control groups once its last process has ended."""
    shutil.rmtree(folder, ignore_errors=True)
    groups = [*CGROUPS.glob(folder.name), *CGROUPS.glob(f"*/{folder.name}")]
    with suppress(TimeoutError):
        wait_for(lambda: all(_emptied(group) for group in groups), "the machine's processes to end", 10)


def _emptied(group: Path) -> bool:
    for path, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):
            Path(path).rmdir()
    return not group.exists()


def _below(pid: int) -> Iterator[int]:
    """Yield the descendants of a process, nearest first."""
    with suppress(OSError):
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            yield child
            yield from _below(child)


def _is_systemd(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"
    return False


@contextmanager
def booted() -> Iterator[Machine]:
    """Boot a new machine and delete it at the end."""
    require()
    machine = Machine()
    try:
        machine.boot()
        yield machine
    finally:
        machine.close()
