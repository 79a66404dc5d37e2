"""What is deployed, looked at without running it: the unit's hardening, and the shell scripts."""

import subprocess
from pathlib import Path

from tests.shop import ROOT
from tests.system_tools import tool

UNIT = ROOT / "chatello-analytics.service"
DROP_IN = ROOT / "deploy" / "systemd" / "local-mongodb.conf"
MOST_EXPOSED = 15
"""Tenths; redis-server has 12, prometheus 40 (systemd 252)."""


def security(unit: Path, threshold: int) -> tuple[int, str]:
    command = [
        tool("systemd-analyze"),
        "security",
        "--offline=yes",
        f"--threshold={threshold}",
        "--no-pager",
        str(unit),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout[-300:] + done.stderr


def test_the_unit_exposes_no_more_than_one_and_a_half() -> None:
    status, told = security(UNIT, MOST_EXPOSED)

    assert status == 0, told
    assert "Overall exposure level" in told
    assert security(UNIT, 1)[0] != 0, "the threshold counts for nothing"


def test_the_drop_in_for_a_local_mongodb_exposes_less(tmp_path: Path) -> None:
    both = tmp_path / UNIT.name
    both.write_text(UNIT.read_text() + DROP_IN.read_text())

    def exposed(unit: Path) -> float:
        return float(security(unit, 100)[1].rpartition("service: ")[2].split()[0])

    assert exposed(both) < exposed(UNIT)


def test_systemd_finds_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/chatello-analytics/current/bin/chatello-analytics", "/bin/true"))
    command = [tool("systemd-analyze"), "verify", "--recursive-errors=no", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_shellcheck_finds_nothing_in_the_shell_scripts() -> None:
    """The installer's parts are looked at where it takes them in."""
    scripts = [file for file in (ROOT / "deploy").rglob("*.sh") if file.parent.name != "installer"]
    assert ROOT / "deploy" / "install.sh" in scripts
    command = [tool("shellcheck"), "--external-sources", str(ROOT / ".ci" / "run"), *map(str, scripts)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stdout
