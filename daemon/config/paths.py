"""Where things are on a machine, as deploy/install.sh puts them; told without loading anything."""

from pathlib import Path

CONFIGURATION = Path("/etc/chatello-analytics/config.toml")
