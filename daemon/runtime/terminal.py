"""What the terminal can show. Kept free of heavy imports."""

import os


def has_colors() -> bool:
    """Return whether colors may be printed on a terminal: neither NO_COLOR (https://no-color.org) nor TERM=dumb."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
