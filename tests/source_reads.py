"""Guard of the whole suite: the daemon reads the dashboard's collections only with an explicit collation."""

import sys
from pathlib import Path
from types import FrameType

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from daemon.mongo.collections import DELIVERY, OWN, SHARED
from daemon.source import api_usage

READS = ("find", "aggregate", "count", "distinct")
OTHERS = (*OWN, *DELIVERY, *SHARED, api_usage.COLLECTION)
"""Collections in which no id of the dashboard's documents is compared by the daemon's query of the source."""
DAEMON = str(Path(__file__).parent.parent / "daemon")
DEMO = str(Path(DAEMON) / "demo")


class SourceReads(CommandListener):
    """Collects reads that code of the daemon started without a collation."""

    def __init__(self) -> None:
        self.inexact: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        collection = event.command.get(event.command_name)
        is_of_source = event.command_name in READS and isinstance(collection, str) and collection not in OTHERS
        if is_of_source and event.database_name != "admin" and "collation" not in event.command:
            caller = _daemon_frame()
            if caller is not None:
                self.inexact.append(f"{event.command_name} {collection}: {caller.f_code.co_filename}:{caller.f_lineno}")

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


def _daemon_frame() -> FrameType | None:
    """Return the frame that called the driver if it is the daemon's, not the demo's or a test's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and "/site-packages/" in frame.f_code.co_filename:
        frame = frame.f_back
    name = frame.f_code.co_filename if frame is not None else ""
    return frame if name.startswith(DAEMON) and not name.startswith(DEMO) else None
