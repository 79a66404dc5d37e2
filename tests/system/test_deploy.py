"""Static checks of the deployment: the unit's hardening, and the shell scripts."""

import subprocess
from pathlib import Path

import pytest

from tests.shop import ROOT
from tests.system_tools import tool

UNIT = ROOT / "chatello-analytics.service"
TEMPLATE = ROOT / "deploy" / "systemd" / "chatello-analytics@.service"
DROP_IN = ROOT / "deploy" / "systemd" / "local-mongodb.conf"
MOST_EXPOSED = 15
"""Exposure level in tenths; redis-server has 12, prometheus 40 (systemd 252)."""


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


def test_the_exposure_level_of_the_unit_is_at_most_1_5() -> None:
    status, output = security(UNIT, MOST_EXPOSED)

    assert status == 0, output
    assert "Overall exposure level" in output
    assert security(UNIT, 1)[0] != 0, "the threshold has no effect"


def test_the_drop_in_for_a_local_mongodb_lowers_the_exposure_level(tmp_path: Path) -> None:
    both = tmp_path / UNIT.name
    both.write_text(UNIT.read_text() + DROP_IN.read_text())

    def exposed(unit: Path) -> float:
        return float(security(unit, 100)[1].rpartition("service: ")[2].split()[0])

    assert exposed(both) < exposed(UNIT)


def test_the_unit_for_further_shops_differs_only_by_the_shop() -> None:
    shops = TEMPLATE.read_text().replace(" --config /etc/chatello-analytics/%i/config.toml", "")
    shops = shops.replace("/%i", "").replace(" of %i", "")

    assert shops.partition("[Unit]")[2] == UNIT.read_text().partition("[Unit]")[2]


@pytest.mark.parametrize("shipped", [UNIT, TEMPLATE])
def test_systemd_has_no_warning_about_the_unit(shipped: Path, tmp_path: Path) -> None:
    unit = tmp_path / shipped.name.replace("@", "@shop")
    unit.write_text(shipped.read_text().replace("/opt/chatello-analytics/current/bin/chatello-analytics", "/bin/true"))
    command = [tool("systemd-analyze"), "verify", "--recursive-errors=no", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_shellcheck_accepts_the_shell_scripts() -> None:
    """The installer's parts are checked where install.sh sources them."""
    scripts = [file for file in (ROOT / "deploy").rglob("*.sh") if file.parent.name != "installer"]
    scripts += [*(ROOT / ".ci").iterdir(), ROOT / "requirements" / "install.sh"]
    assert ROOT / "deploy" / "install.sh" in scripts
    command = [tool("shellcheck"), "--external-sources", *map(str, scripts)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stdout
