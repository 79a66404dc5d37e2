"""Custom rules, matched by the server: in the stream's filter if possible, otherwise by a query.

The filter only says that some rule matched. A document that is inserted or replaced is matched as it was written: by
the filter and, if several rules share its collection, once more as a literal. An update event has no document: the
document is queried and matched as it is at that time.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId, json_util
from bson.errors import BSONError
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure, PyMongoError

from daemon.errors import ConfigurationError
from daemon.mongo.client import CODEC, translated
from daemon.mongo.collections import EVENTS, event_id
from daemon.mongo.ids import UnusableId, canonical
from daemon.mongo.types import Database, Document
from daemon.source import reads
from daemon.source.decode import Decoder, event_time
from rules.model.changes import Change, Operation, Origin, Source
from rules.settings import custom_rules
from rules.settings.custom_rules import CARRIED_IDS, CustomRule

LOGICAL = ("$and", "$or", "$nor")


def filters(rules: Sequence[CustomRule]) -> list[Document]:
    """Return filters for matching inserted or replaced documents, and for updates of a field that a match reads."""
    found = [condition for rule in rules for condition in (_written_whole(rule), _updates(rule))]
    return [condition for condition in found if condition]


def _written_whole(rule: CustomRule) -> Document:
    written = {"operationType": {"$in": ["insert", "replace"]}, "ns.coll": rule.collection}
    match = prefixed("fullDocument", rule.match)
    return {"$and": [written, *([match] if match else [])]}


def _updates(rule: CustomRule) -> Document | None:
    """Return a filter for updates at or below a field of the match; for all updates if the match is not plain."""
    updated: Document = {"operationType": "update", "ns.coll": rule.collection}
    if not is_plain(rule.match):
        return updated
    roots = "|".join(re.escape(root) for root in root_fields(rule))
    pattern = f"^({roots})([.]|$)"
    touched = {"$regexMatch": {"input": "$$this.k", "regex": pattern}}
    set_fields = {"$objectToArray": {"$ifNull": ["$updateDescription.updatedFields", {}]}}
    described = [
        {"updateDescription.removedFields": {"$regex": pattern}},
        {"updateDescription.truncatedArrays.field": {"$regex": pattern}},
        {"$expr": {"$gt": [{"$size": {"$filter": {"input": set_fields, "cond": touched}}}, 0]}},
    ]
    return {**updated, "$or": described} if roots else None


def prefixed(prefix: str, match: Mapping[str, Any]) -> Document | None:
    """Return the match for a document embedded in the field `prefix`; None if the match is not plain."""
    if not is_plain(match):
        return None
    moved: Document = {}
    for key, condition in bson_values(match).items():
        if key in LOGICAL:
            moved[key] = [prefixed(prefix, part) for part in condition]
        elif key != "$comment":
            moved[f"{prefix}.{key}"] = condition
    return moved


def is_plain(match: Mapping[str, Any]) -> bool:
    """Return whether a match only tests fields; $expr, $jsonSchema and similar operators test the whole document."""
    for key, condition in match.items():
        if key in LOGICAL:
            parts = condition if isinstance(condition, list | tuple) else [None]
            if not all(isinstance(part, Mapping) and is_plain(part) for part in parts):
                return False
        elif key.startswith("$") and key != "$comment":
            return False
    return True


def root_fields(rule: CustomRule) -> list[str]:
    """Return the top-level fields that a plain match reads; none for any other match."""
    return sorted(set(_roots(rule.match))) if is_plain(rule.match) else []


def _roots(match: Mapping[str, Any]) -> Iterator[str]:
    for key, condition in match.items():
        if key in LOGICAL:
            for part in condition:
                yield from _roots(part)
        elif not key.startswith("$"):
            yield key.partition(".")[0]


def fields_read(rules: Sequence[CustomRule]) -> set[str]:
    """Return the top-level document fields that texts and matches read."""
    paths = {path.partition(".")[0] for rule in rules for path in (*rule.fields, *CARRIED_IDS)}
    return paths | {root for rule in rules for root in root_fields(rule)}


def bson_values(value: Any) -> Any:
    """Convert a configuration value to BSON types: `{"$oid" = "..."}` and `{"$date" = ...}` (Extended JSON)."""
    if isinstance(value, Mapping):
        inner = {key: bson_values(part) for key, part in value.items()}
        return json_util.object_hook(inner) if inner.keys() & {"$oid", "$date"} else inner
    return [bson_values(part) for part in value] if isinstance(value, list | tuple) else value


def validate(database: Database, rules: Sequence[CustomRule]) -> None:
    """Let the server plan the query of every rule; raise ConfigurationError with key and reason of an invalid one."""
    for number, rule in enumerate(rules):
        try:
            _plan(database, rule)
        except (OperationFailure, BSONError, ValueError, TypeError, OverflowError) as refusal:
            reason = (refusal.details or {}).get("errmsg") if isinstance(refusal, OperationFailure) else None
            raise ConfigurationError(
                f"rules.custom.{number}.match: the server rejects rule {rule.name!r}: {reason or refusal}"
                f", got {dict(rule.match)!r:.200}"
            ) from None


def _plan(database: Database, rule: CustomRule) -> None:
    query = bson_values(rule.match)
    try:
        find = {"find": rule.collection, "filter": query, "collation": reads.SIMPLE.document}
        database.command("explain", find, verbosity="queryPlanner")
        if is_plain(rule.match):
            with database.watch([{"$match": {"$or": filters([rule])}}], max_await_time_ms=1) as stream:
                stream.try_next()
    except OperationFailure as refusal:
        if refusal.code in _UNRELATED_CODES:
            with translated():
                raise
        raise
    except PyMongoError:
        with translated():
            raise


_UNRELATED_CODES = (13, 18, 8000, 40573, 50)
"""Error codes of authentication, server or time limit: not caused by the query."""


class CustomRuleMatcher:
    """Converts documents of watched collections, from stream or reconciliation, to changes with the matching rules."""

    def __init__(self, database: Database, rules: Sequence[CustomRule], decoder: Decoder) -> None:
        self.database = database.with_options(codec_options=CODEC)
        self.decoder = decoder
        self.rules: dict[str, list[CustomRule]] = defaultdict(list)
        for rule in rules:
            self.rules[rule.collection].append(rule)

    def watches(self, event: Document) -> bool:
        """Return whether a change event belongs to a collection with rules."""
        return bool(self.rules) and event.get("ns", {}).get("coll") in self.rules and "documentKey" in event

    def change(self, event: Document) -> Change | None:
        """Return the change for a change event; None if no rule matches."""
        try:
            doc_id = canonical(event["documentKey"]["_id"])
        except UnusableId:
            return None
        rules = self.rules[event["ns"]["coll"]]
        document: Document | None = event.get("fullDocument")
        if event["operationType"] == Operation.UPDATE or document is None:
            matching = self._find_matching(self._without_recorded(rules, doc_id), doc_id)
        elif len(rules) == 1 and is_plain(rules[0].match):
            matching = [(rules[0], document)]
        else:
            matching = [(rule, document) for rule in rules if self._matches(rule, document, doc_id)]
        at, cause = event_time(event), event["_id"]["_data"]
        return self._change(matching, doc_id, at, cause, Origin.STREAM) if matching else None

    def recovered(
        self, since: datetime, until: datetime, cause: str, session: ClientSession | None
    ) -> Iterator[Change]:
        """Yield changes of matching documents created in a gap, if their `_id` contains a time: one range per rule."""
        made = {"_id": {"$gte": ObjectId.from_datetime(since), "$type": "objectId"}}
        for rules in self.rules.values():
            for rule in rules:
                with translated():
                    for document in self._find(rule, made, session):
                        at = min(max(since, document["_id"].generation_time), until)
                        yield self._change([(rule, document)], document["_id"], at, cause, Origin.RECOVERED)

    def _without_recorded(self, rules: list[CustomRule], doc_id: Any) -> list[CustomRule]:
        """Return the rules without an event for the document yet: an update that still matches is not a new fact."""
        ids = {event_id(custom_rules.key(rule, doc_id)): rule for rule in rules}
        with translated():
            recorded = {event["_id"] for event in self.database[EVENTS].find({"_id": {"$in": list(ids)}}, {"_id": 1})}
        return [rule for known, rule in ids.items() if known not in recorded]

    def _find_matching(self, rules: list[CustomRule], doc_id: object) -> list[tuple[CustomRule, Document]]:
        with translated():
            return [(rule, document) for rule in rules for document in self._find(rule, {"_id": doc_id}, None)]

    def _find(self, rule: CustomRule, which: Document, session: ClientSession | None) -> Iterator[Document]:
        query = {"$and": [which, bson_values(rule.match)]}
        fields = dict.fromkeys(fields_read([rule]), 1)
        return iter(reads.find(self.database, rule.collection, query, fields, session))

    def _matches(self, rule: CustomRule, document: Document, doc_id: object) -> bool:
        """Return whether the document matches as it was written: the server evaluates it as a literal."""
        if not is_plain(rule.match):
            return bool(self._find_matching([rule], doc_id))
        literal = [{"$documents": [{"$literal": document}]}, {"$match": bson_values(rule.match)}, {"$limit": 1}]
        with translated():
            return bool(list(self.database.aggregate(literal)))

    def _change(
        self, matching: list[tuple[CustomRule, Document]], doc_id: Any, at: datetime, cause: str, origin: Origin
    ) -> Change:
        values = {path: at_path(document, path) for rule, document in matching for path in (*rule.fields, *CARRIED_IDS)}
        fields = {"rules": tuple(rule.name for rule, _ in matching), "values": self.decoder.values(values)}
        return Change(Source.CUSTOM, Operation.INSERT, doc_id, at, cause, fields, origin=origin)


def at_path(document: Any, path: str) -> Any:
    """Return the value at a dotted path (a number is an array index); None if there is none."""
    for name in path.split("."):
        if isinstance(document, list) and name.isdecimal():
            document = document[int(name)] if int(name) < len(document) else None
        else:
            document = document.get(name) if isinstance(document, Mapping) else None
    return document
