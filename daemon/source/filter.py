"""What the server is asked to send: only changes that touch a tracked field, and of those only such fields.

The fingerprint names this filter in the checkpoint: a token taken under another filter may have skipped
changes that now matter, so a difference asks for a reconciliation.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from daemon.mongo.collections import EVENTS, SOURCE_NAME
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
    """The aggregation stages behind `$changeStream`; `rules` are the owner's own."""
    return [{"$match": {"$or": [*_wanted(), *custom_rules.filters(rules)]}}, {"$project": _projection(rules)}]


def fingerprint(database: str, rules: Sequence[CustomRule] = ()) -> str:
    """A short name for the filter and the database it watches: `ours`, or `ours-theirs` where rules are added."""
    ours = _digest([database, stages()])
    return f"{ours}-{_digest(stages(rules))}" if rules else ours


def is_ours(known: str, expected: str) -> bool:
    """Whether two fingerprints differ in the owner's own rules at most: then the position holds, no mirror is stale."""
    return known.partition("-")[0] == expected.partition("-")[0]


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _wanted() -> list[Stage]:
    return [
        {"operationType": {"$in": list(WHOLE)}, "ns.coll": {"$in": list(WATCHED)}},
        {"operationType": {"$in": ["drop", "rename"]}, "ns.coll": {"$in": list(WATCHED)}},
        {"operationType": "rename", "to.coll": {"$in": list(WATCHED)}},
        {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
        _external_events(),
        *(_touching(source) for source in TRACKED),
    ]


def _external_events() -> Stage:
    """Business events that somebody else inserts: they may tell a fact we tell too."""
    not_ours = {"fullDocument.metadata.source": {"$ne": SOURCE_NAME}}
    return {"operationType": "insert", "ns.coll": EVENTS, **not_ours}


def _touching(source: Source) -> Stage:
    """Updates of one collection that set, remove or truncate a tracked field or anything below it.

    Whole fields are tested by name, which the server can do early; dotted paths need a look at the keys.
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
    foreign = {*event_keys.FIELDS, *(f"metadata.{name}" for name in event_keys.METADATA)}
    return {
        "operationType": 1,
        "ns": 1,
        "to": 1,
        "documentKey": 1,
        "clusterTime": 1,
        "wallTime": 1,
        **{f"fullDocument.{name}": 1 for name in _shortest({*names, *carried, *foreign, *custom_rules.needed(rules)})},
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
    """Without those below another one, which the server refuses as a collision."""
    return sorted(path for path in paths if not any(path.startswith(f"{other}.") for other in paths))
