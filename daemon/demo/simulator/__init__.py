"""Simulated dashboard: writes to a database as the real dashboard and its API do (docs: dashboard-facts).

Used by the demo, the tests and the soak test. It never opens a connection or reads a clock. The random generator and
the time are arguments, so the same seed and times produce the same documents, ids included. It uses nothing from
`rules` or the rest of the daemon: its counts are an independent check.
"""

from daemon.demo.simulator.dashboard import Dashboard
from daemon.demo.simulator.old_rows import rows
from daemon.demo.simulator.recount import recount
from daemon.demo.simulator.shop import OperationResult
from daemon.demo.simulator.weights import ALL_WEIGHTS, WEIGHTS

__all__ = ["ALL_WEIGHTS", "WEIGHTS", "Dashboard", "OperationResult", "recount", "rows"]
