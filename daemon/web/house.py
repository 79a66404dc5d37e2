"""What a door may ask for: the database, the configuration in force, how the daemon is getting on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

from daemon.config import Config
from daemon.progress import Progress

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class House:
    """One for the process. `config` is asked at every request: a reload changes the rules."""

    database: Database[Document]
    config: Callable[[], Config]
    progress: Progress
