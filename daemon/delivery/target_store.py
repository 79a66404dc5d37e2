"""Stored progress of the targets: one document per target, written by compare-and-set.

A record is bound to the epoch of the leader that sends: a former leader's writes fail. Commands change it from another
process: `version` makes the slower one of two writers read again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from daemon.delivery.schedule import Refusals, State, TargetState
from daemon.errors import LeaseLost
from daemon.mongo.client import translated
from daemon.mongo.collections import TARGETS
from daemon.mongo.types import Database, Document
from daemon.store.outbox import BEGINNING, OutboxPosition


class ParkedMessage(NamedTuple):
    """A message that was passed over, because its receiver refused it."""

    position: OutboxPosition
    id: str
    status: int | None
    at: datetime


class PeopleProgress(NamedTuple):
    """Progress of a target that receives messages for people, beside the position of its messages at once.

    `morning` is the position up to which the messages of the morning are sent, `is_day_closed` whether a row became
    final since; `urgent` the position up to which questions are sent; `reported_gap` the open gap already reported.
    """

    morning: OutboxPosition = BEGINNING
    is_day_closed: bool = False
    urgent: OutboxPosition = BEGINNING
    reported_gap: Any = None


class TargetRecord(NamedTuple):
    """What is stored of a target. `resent` are the parked messages that a person wants to be sent again."""

    name: str
    position: OutboxPosition
    target: TargetState
    parked: tuple[ParkedMessage, ...] = ()
    resent: tuple[ParkedMessage, ...] = ()
    people: PeopleProgress = PeopleProgress()
    epoch: int = 0
    version: int = 0

    @property
    def begins(self) -> OutboxPosition:
        """The position of the first fact that may be needed for a message."""
        return min(self.position, self.people.morning) if self.people.is_day_closed else self.position

    def beginning_at(self, first: OutboxPosition) -> "TargetRecord":
        """Return the record with no position before `first`: what is there will be deleted."""
        people = self.people
        people = people._replace(morning=max(people.morning, first), urgent=max(people.urgent, first))
        return self._replace(position=max(self.position, first), people=people)


class Changed(Exception):
    """The record was changed by another process since it was read."""


def load(database: Database, name: str) -> TargetRecord | None:
    """Return the record of a target; None if the daemon never began to send to it."""
    with translated():
        found = database[TARGETS].find_one({"_id": name})
    return None if found is None else _record(found)


def open_record(database: Database, name: str, epoch: int, newest: OutboxPosition, now: datetime) -> TargetRecord:
    """Return the record, bound to the leader with `epoch`; a new target begins at the `newest` position.

    A position beyond it belongs to facts that a restored backup does not hold: other ones will get its number.
    Raises LeaseLost if it is bound to a later leader.
    """
    people = PeopleProgress(morning=newest, urgent=newest)
    new = TargetRecord(name, newest, TargetState(State.ACTIVE, now), people=people)
    with translated():
        database[TARGETS].update_one({"_id": name}, {"$setOnInsert": _document(new)}, upsert=True)
        bound = database[TARGETS].find_one_and_update(
            {"_id": name, "epoch": {"$lte": epoch}}, {"$set": {"epoch": epoch}, "$inc": {"version": 1}}
        )
    if bound is None:
        raise LeaseLost(f"target {name} is served by a later leader; this daemon continues as standby")
    found = load(database, name)
    assert found is not None
    bounded = _at_most(found, newest)
    return found if bounded == found else save(database, bounded)


def _at_most(record: TargetRecord, newest: OutboxPosition) -> TargetRecord:
    people = record.people
    people = people._replace(morning=min(people.morning, newest), urgent=min(people.urgent, newest))
    return record._replace(position=min(record.position, newest), people=people)


def save(database: Database, record: TargetRecord) -> TargetRecord:
    """Store a record if it is unchanged since it was read; return it with its new version.

    Raises Changed if another process changed it.
    """
    with translated():
        result = database[TARGETS].update_one(
            {"_id": record.name, "epoch": record.epoch, "version": record.version},
            {"$set": {**_document(record), "epoch": record.epoch, "version": record.version + 1}},
        )
    if result.matched_count != 1:
        raise Changed
    return record._replace(version=record.version + 1)


def _document(record: TargetRecord) -> Document:
    target = record.target
    return {
        "epoch": 0,
        "version": 0,
        "position": record.position._asdict(),
        "state": target.state.value,
        "since": target.since,
        "attempts": target.attempts,
        "next_attempt_at": target.next_attempt_at,
        "last_success_at": target.last_success_at,
        "last_error": target.last_error,
        "refusals": target.refusals._asdict(),
        "parked": [_parked_document(one) for one in record.parked],
        "resent": [_parked_document(one) for one in record.resent],
        "people": {
            **record.people._asdict(),
            "morning": record.people.morning._asdict(),
            "urgent": record.people.urgent._asdict(),
        },
    }


def _parked_document(parked: ParkedMessage) -> Document:
    return {**parked._asdict(), "position": parked.position._asdict()}


def _record(found: Mapping[str, Any]) -> TargetRecord:
    parked, resent = (tuple(map(_parked, found[name])) for name in ("parked", "resent"))
    people = found["people"]
    target = TargetState(
        State(found["state"]),
        found["since"],
        found["attempts"],
        found["next_attempt_at"],
        found["last_success_at"],
        found["last_error"],
        Refusals(**found["refusals"]),
        len(parked),
    )
    return TargetRecord(
        found["_id"],
        OutboxPosition(**found["position"]),
        target,
        parked,
        resent,
        PeopleProgress(
            OutboxPosition(**people["morning"]),
            people["is_day_closed"],
            OutboxPosition(**people["urgent"]),
            people["reported_gap"],
        ),
        found["epoch"],
        found["version"],
    )


def _parked(found: Mapping[str, Any]) -> ParkedMessage:
    return ParkedMessage(OutboxPosition(**found["position"]), found["id"], found["status"], found["at"])
