"""Reload of a changed configuration: the rules apply at once, all other settings need a restart."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from daemon.config.schema import Config

RELOADABLE = "rules"


class Reload(NamedTuple):
    """Result of a reload: the new active configuration, and the changed keys that apply or need a restart."""

    config: Config
    applied: list[str]
    needing_restart: list[str]


def prepare(active: Config, changed: Config) -> Reload:
    """Combine the rules of `changed` with all other settings of `active`."""
    keys = sorted(_differing(active.model_dump(), changed.model_dump()))
    return Reload(
        active.model_copy(update={RELOADABLE: changed.rules}),
        [key for key in keys if key.partition(".")[0] == RELOADABLE],
        [key for key in keys if key.partition(".")[0] != RELOADABLE],
    )


def _differing(left: Any, right: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted keys whose values differ, never the values, which may be secrets."""
    if not (isinstance(left, Mapping) and isinstance(right, Mapping)):
        if left != right:
            yield path
        return
    for key in {*left, *right}:
        yield from _differing(left.get(key), right.get(key), f"{path}.{key}" if path else str(key))
