"""Colors of the charts: each has a contrast of at least 3:1 against the page, in light and dark (WCAG 1.4.11)."""

import re
from pathlib import Path

import pytest

from daemon.web.page import assets

SHEET = (assets.FOLDER / "page.css").read_text()
DRAWN = ("accent", "accent-2", "loss", "soft", "ink", "warn")
"""Fills and outlines of bars, and strokes of lines, goals, marks and bands; bars have a gap between them."""


def colors(theme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL)[:2]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light if theme == "light" else light + dark))


def luminance(color: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    shares = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", DRAWN)
def test_what_a_chart_draws_stands_out_from_the_page(theme: str, name: str) -> None:
    found = colors(theme)
    high, low = sorted((luminance(found[name]), luminance(found["paper"])), reverse=True)

    assert (high + 0.05) / (low + 0.05) >= 3


def test_the_script_stays_below_15_kilobytes() -> None:
    assert len(Path(assets.FOLDER / "page.js").read_bytes()) < 15_000
