"""Holder of the active configuration, read by every component at each use."""

from daemon.config.schema import Config


class ActiveConfig:
    """Holds the active configuration. A reload replaces it; reading is safe from any thread."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def current(self) -> Config:
        return self._config

    def replace(self, config: Config) -> None:
        self._config = config
