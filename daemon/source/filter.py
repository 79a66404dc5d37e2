"""Filter of the change stream: only changes of tracked fields, and of those changes only the fields that are read.

The fingerprint identifies the filter in the checkpoint: a resume token of another filter may have skipped changes that
are relevant now, so a difference requires a reconciliation.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from daemon.mongo.collections import EVENTS, EXTERNAL
from daemon.source import custom_rules
from rules.model import event_keys
from rules.model.changes import Source
from rules.model.documents import CARRIED, TRACKED
from rules.settings.custom_rules import CustomRule

WATCHED = tuple(source.value for source in TRACKED)
WHOLE = ("insert", "replace", "delete")
DISCONTINUITIES = ("drop", "rename", "dropDatabase", "invalidate")

Stage = dict[str, Any]


def stages(rules: Sequence[CustomRule] = ()) -> list[Stage]:
    """Return the aggregation stages after `$changeStream`; `rules` are the custom rules."""
    return [{"$match": {"$or": [*_conditions(), *custom_rules.filters(rules)]}}, {"$project": _projection(rules)}]


def fingerprint(database: str, rules: Sequence[CustomRule] = ()) -> str:
    """Return a digest of database and filter: `BASE`, or `BASE-RULES` with custom rules."""
    base = _digest([database, stages()])
    return f"{base}-{_digest(stages(rules))}" if rules else base


def same_except_custom_rules(known: str, expected: str) -> bool:
    """Return whether only the custom rules differ: then the position is valid, because they have no mirror."""
    return known.partition("-")[0] == expected.partition("-")[0]


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _conditions() -> list[Stage]:
    return [
        {"operationType": {"$in": list(WHOLE)}, "ns.coll": {"$in": list(WATCHED)}},
        {"operationType": {"$in": ["drop", "rename"]}, "ns.coll": {"$in": list(WATCHED)}},
        {"operationType": "rename", "to.coll": {"$in": list(WATCHED)}},
        {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
        _external_events(),
        *(_tracked_updates(source) for source in TRACKED),
    ]


def _external_events() -> Stage:
    """Return a condition for inserted external events: they may report a fact that the daemon emits too."""
    external = {"fullDocument.metadata.source": EXTERNAL}
    return {"operationType": "insert", "ns.coll": EVENTS, **external}


def _tracked_updates(source: Source) -> Stage:
    """Return a condition for updates that set, remove or truncate a tracked field or anything below it.

    Whole fields are tested by name, which the server can evaluate early; dotted paths require a scan of the keys.
    """
    names = TRACKED[source]
    described = "updateDescription"
    return {
        "operationType": "update",
        "ns.coll": source.value,
        "$or": [
            *({f"{described}.updatedFields.{name}": {"$exists": True}} for name in names),
            {f"{described}.removedFields": {"$regex": _paths(names)}},
            {f"{described}.truncatedArrays.field": {"$regex": _paths(names)}},
            {"$expr": {"$gt": [{"$size": _tracked_keys(_paths(names, below=True))}, 0]}},
        ],
    }


def _paths(names: tuple[str, ...], *, below: bool = False) -> str:
    return f"^({'|'.join(names)}){'[.]' if below else '([.]|$)'}"


def _tracked_keys(pattern: str) -> Stage:
    return {
        "$filter": {
            "input": {"$objectToArray": {"$ifNull": ["$updateDescription.updatedFields", {}]}},
            "cond": {"$regexMatch": {"input": "$$this.k", "regex": pattern}},
        }
    }


def _projection(rules: Sequence[CustomRule]) -> Stage:
    names = sorted({name for source in TRACKED for name in TRACKED[source]})
    carried = {name for source in CARRIED for name in CARRIED[source]}
    external = {*event_keys.FIELDS, *(f"metadata.{name}" for name in event_keys.METADATA)}
    return {
        "operationType": 1,
        "ns": 1,
        "to": 1,
        "documentKey": 1,
        "clusterTime": 1,
        "wallTime": 1,
        **{
            f"fullDocument.{name}": 1
            for name in _shortest({*names, *carried, *external, *custom_rules.fields_read(rules)})
        },
        "updateDescription.removedFields": 1,
        "updateDescription.truncatedArrays": 1,
        "updateDescription.updatedFields": {
            "$cond": [
                {"$eq": ["$operationType", "update"]},
                {"$arrayToObject": _tracked_keys(_paths(tuple(names)))},
                "$$REMOVE",
            ]
        },
    }


def _shortest(paths: set[str]) -> list[str]:
    """Return the paths without those below another path, which the server rejects as a collision."""
    return sorted(path for path in paths if not any(path.startswith(f"{other}.") for other in paths))
