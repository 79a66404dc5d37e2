"""CPU time and memory of a process, from /proc (proc(5))."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
FIRST_FIELD = 3
"""Number of the first field after the command name in /proc/PID/stat."""
UTIME, STIME = 14, 15


def cpu_seconds(pid: int) -> float:
    """Return user and system time of all threads of a process since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[UTIME - FIRST_FIELD]) + int(fields[STIME - FIRST_FIELD])) / TICKS


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def peak_megabytes(pid: int) -> float:
    """Return the peak resident memory of a process since its start or `reset_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/{pid}/status has no VmHWM")


def reset_peak(pid: int) -> None:
    """Reset the value of `peak_megabytes`."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
