"""Metrics of the real thing: what the daemon exports while it follows a real replica set."""

import pytest
from prometheus_client import generate_latest
from pydantic import SecretStr
from pymongo.errors import OperationFailure

from daemon.config.schema import Mongodb
from daemon.mongo import client as connection
from daemon.mongo.types import Database
from daemon.runtime import metrics
from daemon.runtime.health import Health, Instant
from daemon.runtime.metrics import REGISTRY
from daemon.store import gaps
from daemon.store.lease import Leaser
from tests import shop


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"chatello_analytics_{name}", labels) or 0.0


def test_the_driver_tells_how_far_the_server_is_and_which_commands_it_answered(
    mongo_uri: str, database: Database
) -> None:
    answered, refused = (value(f"mongodb_{name}_total", command="find") for name in ("commands", "command_failures"))
    health = Health()
    metrics.watch(health)
    with connection.connect(Mongodb(uri=SecretStr(mongo_uri)), health) as client:
        newest = client.admin.command("ping")["operationTime"]
        client[database.name].customers.find_one()
        with pytest.raises(OperationFailure):
            client[database.name].customers.find_one({"$nonsense": 1})

    assert health.at(Instant.CLUSTER) >= newest.time
    assert value("cluster_timestamp_seconds") == health.at(Instant.CLUSTER)
    assert value("mongodb_commands_total", command="find") == answered + 1
    assert value("mongodb_command_failures_total", command="find") == refused + 1


def test_what_a_leader_commits_shows_by_plan_kind_and_delay(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    before = value("movements_total", kind="new"), value("change_delay_seconds_count")
    with shop.running(shop.config_for(mongo_uri, database)):
        shop.license(database, shop.customer(database, "A"), plans["pro"])
        shop.until(lambda: value("plan_mrr_euros", plan="pro") == 7.99, "the plan's MRR")
        shop.until(lambda: value("movements_total", kind="new") == before[0] + 1, "the movement")

    assert value("plan_licenses_left", plan="founders") == 500
    assert value("change_delay_seconds_count") > before[1]
    assert value("checkpoint_timestamp_seconds") > 0


def test_a_held_document_shows_once_counted(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        held = shop.license(database, shop.customer(database, "A"), plans["pro"], status="nonsense")
        shop.until(lambda: database.analytics_dead_letters.count_documents({"state": "held"}) == 1, "the dead letter")
        gaps.export_counts(database)
        assert value("dead_letters") == 1
        database.licenses.update_one({"_id": held}, {"$set": {"status": "active"}})
        shop.until(lambda: database.analytics_dead_letters.count_documents({"state": "held"}) == 0, "its release")
        gaps.export_counts(database)

    assert value("dead_letters") == 0
    assert value("gaps_open") == 0
    assert b"chatello_analytics_customers" in generate_latest(REGISTRY)


def test_a_standby_asks_one_read_of_the_server_at_each_look(mongo_uri: str, database: Database) -> None:
    with database.client.start_session() as session:
        assert Leaser(database, "holder", 60).acquire(session) is not None

    def asked() -> dict[str, float]:
        (family,) = [family for family in REGISTRY.collect() if family.name.endswith("mongodb_commands")]
        return {sample.labels["command"]: sample.value for sample in family.samples if sample.name.endswith("_total")}

    with connection.connect(Mongodb(uri=SecretStr(mongo_uri))) as client, client.start_session() as session:
        office = Leaser(client[database.name], "standby", 60)
        before = asked()
        refused = [office.acquire(session) for _ in range(3)]
        after = asked()

    assert refused == [None, None, None]
    assert {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)} == {
        "find": 3
    }
