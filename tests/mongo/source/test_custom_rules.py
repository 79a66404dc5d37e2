"""Custom rules on a real replica set: matched by the server, emitted once, also after gaps and restarts."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from bson import ObjectId

from daemon.config.schema import Config
from daemon.demo.embedded_mongo import wait_for
from daemon.errors import ConfigurationError
from daemon.mongo.types import Database
from daemon.source import custom_rules
from rules.settings.custom_rules import CustomRule
from tests import shop
from tests.oracle import assert_ledger_consistent, events

URGENT = {
    "name": "urgent",
    "collection": "tickets",
    "match": {"priority": {"$in": ["high", "urgent"]}, "$nor": [{"status": "spam"}]},
    "event_type": "support_ticket",
    "text": "Ticket urgente: {subject} ({from.name})",
}
RELEASE = {
    "name": "release",
    "collection": "features",
    "match": {"state": "released"},
    "event_type": "feature_released",
    "text": "Rilasciata {title}",
}


def config_with(uri: str, db: Database, *rules: dict[str, Any], **sections: Any) -> Config:
    return shop.config_for(uri, db, rules={"custom": rules}, **sections)


def descriptions(db: Database, name: str) -> list[str]:
    found = db.business_events.find({"metadata.rule": name}).sort([("event_date", 1), ("_id", 1)])
    return [event["description"] for event in found]


def settle(db: Database) -> None:
    """Wait until the events of everything written before are stored."""
    last = shop.customer(db, "last")
    wait_for(lambda: events(db)["new_customer", last] == 1, "the last change")


def test_only_matching_documents_emit_events(mongo_uri: str, database: Database) -> None:
    with shop.running(config_with(mongo_uri, database, URGENT)):
        database.tickets.insert_many(
            [
                {"subject": "Non parte", "priority": "high", "from": {"name": "Ada"}},
                {"subject": "Colore", "priority": "low"},
                {"subject": "Spam", "priority": "high", "status": "spam"},
                {"subject": {"$ne": None}, "priority": "urgent", "from": {"name": "x\n\u202e<script>"}},
            ]
        )
        settle(database)

    assert set(descriptions(database, "urgent")) == {"Ticket urgente: Non parte (Ada)", "Ticket urgente: (x ‹script›)"}
    [event] = database.business_events.find({"metadata.rule": "urgent", "description": {"$regex": "Ada"}})
    assert (event["event_type"], event["metadata"]["source"]) == ("support_ticket", "chatello-analytics")
    assert_ledger_consistent(database)


def test_a_document_that_starts_to_match_emits_one_event_however_often_it_is_written(
    mongo_uri: str, database: Database
) -> None:
    with shop.running(config_with(mongo_uri, database, RELEASE)):
        made = database.features.insert_one({"title": "Claude", "state": "draft"}).inserted_id
        settle(database)
        assert descriptions(database, "release") == []
        for state in ("released", "draft", "released"):
            database.features.update_one({"_id": made}, {"$set": {"state": state}})
            settle(database)
        database.features.replace_one({"_id": made}, {"title": "Claude 2", "state": "released"})
        settle(database)

    assert descriptions(database, "release") == ["Rilasciata Claude"]


def test_rules_that_share_a_collection_match_the_document_as_written_even_if_it_changed_since(
    mongo_uri: str, database: Database
) -> None:
    low = {**URGENT, "name": "low", "match": {"priority": "low"}, "text": "Ticket: {subject}"}
    whole = {**URGENT, "name": "whole", "match": {"$expr": {"$eq": ["$a", "$b"]}}, "text": "Pari: {subject}"}
    config = config_with(mongo_uri, database, URGENT, low, whole)
    with shop.running(config):
        settle(database)
    made = database.tickets.insert_one({"subject": "A", "priority": "high", "a": 1, "b": 2}).inserted_id
    database.tickets.insert_one({"subject": "B", "priority": "low", "a": 1, "b": 1})
    database.tickets.update_one({"_id": made}, {"$set": {"priority": "none"}})
    with shop.running(config):
        settle(database)

    assert descriptions(database, "urgent") == ["Ticket urgente: A ()"]
    assert descriptions(database, "low") == ["Ticket: B"]
    assert descriptions(database, "whole") == ["Pari: B"]


def test_a_new_rule_needs_no_reconciliation_and_receives_what_was_written_since_the_checkpoint(
    mongo_uri: str, database: Database
) -> None:
    shop.plans(database)
    database.tickets.insert_one({"subject": "prima", "priority": "high"})
    with shop.running(config_with(mongo_uri, database)):
        settle(database)
    customer = shop.customer(database, "while away")
    database.tickets.insert_one({"subject": "durante", "priority": "high"})
    config = config_with(mongo_uri, database, URGENT)
    with shop.running(config) as run:
        settle(database)
        assert run.leader is not None
        run.active.replace(config_with(mongo_uri, database, URGENT, RELEASE, mongodb={"database": database.name}))
        settle(database)
        database.features.insert_one({"title": "X", "state": "released"})
        settle(database)

    assert descriptions(database, "urgent") == ["Ticket urgente: durante ()"]
    assert descriptions(database, "release") == ["Rilasciata X"]
    assert events(database)["new_customer", customer] == 1
    assert database.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0
    assert_ledger_consistent(database)


def test_documents_of_a_gap_are_recovered_if_their_ids_contain_the_time(mongo_uri: str, database: Database) -> None:
    config = config_with(mongo_uri, database, URGENT)
    database.tickets.insert_one({"_id": ObjectId("60" + "0" * 22), "subject": "vecchio", "priority": "high"})
    with shop.running(config):
        settle(database)
    database.tickets.insert_one({"subject": "nel buco", "priority": "high"})
    database.tickets.insert_one({"_id": "no time", "subject": "senza data", "priority": "high"})
    database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"fingerprint": "another"}})
    with shop.running(config):
        settle(database)

    assert descriptions(database, "urgent") == ["Ticket urgente: nel buco ()"]
    [gap] = database.analytics_gaps.find({"cause": "filter_change"})
    assert gap["recovered"]["custom_insert"] == 1


BAD = [
    ({"match": {"priority": {"$foo": 1}}}, "unknown operator: $foo"),
    ({"match": {"subject": {"$regex": "("}}}, "rules.custom.0.match: "),
    ({"match": {"$or": "x"}}, "$or must be an array"),
    ({"match": {"_id": {"$oid": "12"}}}, "rules.custom.0.match: "),
    ({"match": {"$text": {"$search": "x"}}}, "text index required"),
]


@pytest.mark.parametrize(("change", "reason"), BAD, ids=str)
def test_a_rule_that_the_server_rejects_is_reported_with_its_key_and_reason(
    mongo_uri: str, database: Database, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        custom_rules.validate(database, [CustomRule(**{**URGENT, **change})])

    assert "rules.custom.0.match: the server rejects rule 'urgent'" in str(raised.value)
    assert reason in str(raised.value)


def test_extended_json_ids_of_the_configuration_are_object_ids(mongo_uri: str, database: Database) -> None:
    owner = ObjectId()
    with shop.running(config_with(mongo_uri, database, {**URGENT, "match": {"owner": {"$oid": str(owner)}}})):
        database.tickets.insert_many([{"subject": "mio", "owner": owner}, {"subject": "suo", "owner": str(owner)}])
        settle(database)

    assert descriptions(database, "urgent") == ["Ticket urgente: mio ()"]


RULES = [
    {"priority": "high"},
    {"$or": [{"tags": "bug"}, {"votes": {"$gte": 8}}]},
    {"author.plan": {"$ne": "free"}, "tags": {"$size": 2}},
    {"$expr": {"$gt": ["$votes", "$views"]}},
    {"opened": {"$lt": datetime(2026, 6, 1, tzinfo=UTC)}, "votes": {"$not": {"$type": "string"}}},
    {"tags": {"$elemMatch": {"$regex": "^b"}}, "$nor": [{"votes": None}]},
]


def _ticket(chance: Random) -> dict[str, Any]:
    ticket: dict[str, Any] = {
        "priority": chance.choice(["high", "low", None, 3]),
        "tags": chance.sample(["bug", "billing", "idea", 7], chance.randint(0, 3)),
        "votes": chance.choice([0, 8, 9.5, "9", None, float("nan")]),
        "views": chance.randint(0, 10),
        "author": {"plan": chance.choice(["free", "pro"])},
        "opened": datetime(2026, chance.randint(1, 12), 1, tzinfo=UTC),
    }
    return {name: value for name, value in ticket.items() if chance.random() < 0.9}


@pytest.mark.parametrize("together", [True, False])
def test_exactly_the_documents_that_a_find_returns_emit_events(
    mongo_uri: str, database: Database, together: bool
) -> None:
    """The oracle is a find with the same match. Not `together`: one collection per rule, matched by the filter."""
    chance = Random(3)
    rules: list[dict[str, Any]] = [
        {**URGENT, "name": f"r{n}", "match": match, "text": "T", "collection": "tickets" if together else f"tickets{n}"}
        for n, match in enumerate(RULES)
    ]
    tickets = [{"_id": n, **_ticket(chance)} for n in range(60)]
    with shop.running(config_with(mongo_uri, database, *rules)):
        for collection in {rule["collection"] for rule in rules}:
            database[collection].insert_many(tickets)
        settle(database)

    for rule in rules:
        found = {str(ticket["_id"]) for ticket in database[rule["collection"]].find(rule["match"], {"_id": 1})}
        events_of_rule = database.business_events.find({"metadata.rule": rule["name"]})
        assert sorted(event["metadata"]["document_id"] for event in events_of_rule) == sorted(found), rule["match"]
        assert 0 < len(found) < 60
