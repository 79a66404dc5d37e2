"""What the kernel says of a process: the CPU time it used and the memory it holds (proc(5))."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
FIRST_FIELD = 3
"""The number of the first field behind the command's name in /proc/PID/stat."""
UTIME, STIME = 14, 15


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[UTIME - FIRST_FIELD]) + int(fields[STIME - FIRST_FIELD])) / TICKS


def resident_megabytes(pid: int) -> float:
    """Memory a process holds at the moment."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def peak_megabytes(pid: int) -> float:
    """The most memory a process ever held, or held since `forget_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/{pid}/status tells no VmHWM")


def forget_peak(pid: int) -> None:
    """Let `peak_megabytes` count from now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
