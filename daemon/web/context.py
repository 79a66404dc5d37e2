"""What a door may ask for: the database, the configuration in force, how the daemon is getting on."""

from collections.abc import Callable
from dataclasses import dataclass

from daemon.config.schema import Config
from daemon.mongo.types import Database
from daemon.runtime.health import Health


@dataclass(frozen=True, slots=True)
class WebContext:
    """One for the process. `config` is asked at every request: a reload changes the rules."""

    database: Database
    config: Callable[[], Config]
    progress: Health
