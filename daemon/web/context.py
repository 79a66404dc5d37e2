"""What every route needs: the database, the configuration in force, the daemon's health."""

from dataclasses import dataclass, field

from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.diagnostics.explanation import Explanation
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.store.ledger.day_totals import DayTotals


@dataclass(frozen=True, slots=True)
class WebContext:
    """One for the process."""

    database: Database
    active: ActiveConfig
    health: Health
    day_totals: DayTotals = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "day_totals", DayTotals(self.database))

    def config(self) -> Config:
        """Return the configuration in force; call it at every request, because a reload replaces it."""
        return self.active.current

    def explanation(self, limit: int) -> Explanation:
        """Return what explains numbers, each with at most `limit` lines."""
        return Explanation(self.database, self.config().settings(), limit, self.day_totals)
