"""Paths on an installed machine (deploy/install.sh). Kept free of heavy imports."""

from pathlib import Path

CONFIGURATION = Path("/etc/chatello-analytics/config.toml")
