"""What the server is asked to send: only changes that touch a tracked field, and of those only such fields.

The fingerprint names this filter in the checkpoint: a token taken under another filter may have skipped
changes that now matter, so a difference asks for a reconciliation.
"""

import hashlib
import json
from typing import Any

from daemon.store.names import EVENTS, SOURCE_NAME
from rules import twins
from rules.documents import CARRIED, TRACKED
from rules.model import Source

WATCHED = tuple(source.value for source in TRACKED)
WHOLE = ("insert", "replace", "delete")
DISCONTINUITIES = ("drop", "rename", "dropDatabase", "invalidate")

Stage = dict[str, Any]


def stages() -> list[Stage]:
    """The aggregation stages behind `$changeStream`."""
    return [{"$match": {"$or": _wanted()}}, {"$project": _projection()}]


def fingerprint(database: str) -> str:
    """A short name for the filter and the database it watches."""
    text = json.dumps([database, stages()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _wanted() -> list[Stage]:
    return [
        {"operationType": {"$in": list(WHOLE)}, "ns.coll": {"$in": list(WATCHED)}},
        {"operationType": {"$in": ["drop", "rename"]}, "ns.coll": {"$in": list(WATCHED)}},
        {"operationType": "rename", "to.coll": {"$in": list(WATCHED)}},
        {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
        _foreign_events(),
        *(_touching(source) for source in TRACKED),
    ]


def _foreign_events() -> Stage:
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


def _projection() -> Stage:
    names = sorted({name for source in TRACKED for name in TRACKED[source]})
    carried = {name for source in CARRIED for name in CARRIED[source]}
    foreign = {*twins.FIELDS, *(f"metadata.{name}" for name in twins.METADATA)}
    return {
        "operationType": 1,
        "ns": 1,
        "to": 1,
        "documentKey": 1,
        "clusterTime": 1,
        "wallTime": 1,
        **{f"fullDocument.{name}": 1 for name in sorted({*names, *carried, *foreign})},
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
