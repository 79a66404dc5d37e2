"""What every route needs: the database, the configuration in force, the daemon's health."""

from dataclasses import dataclass

from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.mongo.types import Database
from daemon.runtime.health import Health


@dataclass(frozen=True, slots=True)
class WebContext:
    """One for the process."""

    database: Database
    active: ActiveConfig
    health: Health

    def config(self) -> Config:
        """Return the configuration in force; call it at every request, because a reload replaces it."""
        return self.active.current
