"""A reload: which settings of a changed configuration apply at once (the rules), and which wait for a restart."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from daemon.config.schema import Config

AT_ONCE = "rules"


class Reload(NamedTuple):
    """What a reload comes to: the configuration then in force, the keys applied, and those that need a restart."""

    config: Config
    applied: list[str]
    waiting: list[str]


def prepare(in_force: Config, wanted: Config) -> Reload:
    """The rules of `wanted`, everything else as it is in force."""
    keys = sorted(_differing(in_force.model_dump(), wanted.model_dump()))
    return Reload(
        in_force.model_copy(update={AT_ONCE: wanted.rules}),
        [key for key in keys if key.partition(".")[0] == AT_ONCE],
        [key for key in keys if key.partition(".")[0] != AT_ONCE],
    )


def _differing(left: Any, right: Any, path: str = "") -> Iterator[str]:
    """The dotted keys whose values differ; values, which may be secrets, are never told."""
    if not (isinstance(left, Mapping) and isinstance(right, Mapping)):
        if left != right:
            yield path
        return
    for key in {*left, *right}:
        yield from _differing(left.get(key), right.get(key), f"{path}.{key}" if path else str(key))
