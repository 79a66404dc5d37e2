"""A pretend dashboard: writes to a database as the real dashboard and its API do (docs: dashboard-facts).

Used by the demo, the tests and the soak. The law of this room: it never opens a connection and never reads a
clock. Chance and time are arguments, so the same seed and the same times tell the same story, ids included.
It borrows nothing from `rules` or the rest of the daemon: what it counts is a second opinion.
"""

from daemon.demo.simulator.dashboard import Dashboard
from daemon.demo.simulator.old_rows import rows
from daemon.demo.simulator.recount import recount
from daemon.demo.simulator.shop import Done
from daemon.demo.simulator.weights import WEIGHTS, WHOLE_HOUSE

__all__ = ["WEIGHTS", "WHOLE_HOUSE", "Dashboard", "Done", "recount", "rows"]
