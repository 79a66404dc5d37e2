"""An invalid stored position is detected, recorded as a gap and reconciled, instead of being resumed from."""

from typing import Any

import pytest
from bson.timestamp import Timestamp

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.cluster_time import token_time
from daemon.mongo.types import Database
from tests import shop
from tests.faults.injection import (
    assert_nothing_lost_or_duplicated,
    gap,
    operation_time,
    wait_until_consistent,
)
from tests.oracle import events

YEARS = 10 * 365 * 24 * 3600


def at(time: Timestamp) -> str:
    """Return the prefix of a resume token at `time`."""
    return f"82{time.time:08X}{time.inc:08X}"


def later(time: Timestamp, seconds: int) -> Timestamp:
    return Timestamp(time.time + seconds, time.inc)


def text(_db: Database, _token: Any, _time: Timestamp) -> dict[str, Any]:
    return {"token": "garbage"}


def garbage(_db: Database, _token: Any, _time: Timestamp) -> dict[str, Any]:
    return {"token": {"_data": "zz garbage"}}


def a_number(_db: Database, _token: Any, _time: Timestamp) -> dict[str, Any]:
    return {"token": {"_data": 5}}


def torn(_db: Database, token: Any, time: Timestamp) -> dict[str, Any]:
    return {"token": {"_data": token["_data"][:-3]}, "cluster_time": time}


def hex_noise(_db: Database, _token: Any, time: Timestamp) -> dict[str, Any]:
    return {"token": {"_data": at(time) + "DEADBEEF00"}, "cluster_time": time}


def only_the_time(_db: Database, _token: Any, time: Timestamp) -> dict[str, Any]:
    return {"token": {"_data": at(time)}, "cluster_time": time}


def token_and_time_differ(_db: Database, token: Any, time: Timestamp) -> dict[str, Any]:
    return {"cluster_time": later(time, -5)}


def no_position(_db: Database, _token: Any, _time: Timestamp) -> dict[str, Any]:
    return {"token": None, "cluster_time": None}


def of_the_future(_db: Database, token: Any, time: Timestamp) -> dict[str, Any]:
    ahead = later(time, YEARS)
    return {"token": {"_data": at(ahead) + token["_data"][18:]}, "cluster_time": ahead}


def a_future_time_without_a_token(_db: Database, _token: Any, time: Timestamp) -> dict[str, Any]:
    return {"token": None, "cluster_time": later(time, YEARS)}


def of_another_server(db: Database, _token: Any, _time: Timestamp) -> dict[str, Any]:
    """Return a token of another server."""
    with EmbeddedMongo() as other, shop.fresh_database(other.uri) as other_db:
        other_db.customers.insert_one({})
        with other_db.watch() as stream:
            other_db.customers.insert_one({})
            token = next(stream)["_id"]
    time = token_time(token)
    assert time is not None
    while operation_time(db) <= time:
        db.noise.insert_one({})
    return {"token": token, "cluster_time": time}


def another_filter(_db: Database, _token: Any, _time: Timestamp) -> dict[str, Any]:
    return {"fingerprint": "of an older version"}


DAMAGES = {
    text: "bad_token",
    garbage: "bad_token",
    a_number: "bad_token",
    torn: "bad_token",
    hex_noise: "bad_token",
    only_the_time: "bad_token",
    token_and_time_differ: "bad_token",
    no_position: "bad_token",
    of_the_future: "future_token",
    a_future_time_without_a_token: "future_token",
    of_another_server: "fatal",
    another_filter: "filter_change",
}


@pytest.mark.parametrize(("damage", "cause"), DAMAGES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_an_invalid_position_is_recorded_as_one_gap_and_reconciled(
    brittle: EmbeddedMongo, shop_db: Database, damage: Any, cause: str
) -> None:
    db = shop_db
    plans = shop.plans(db)
    config = shop.config_for(brittle.uri, db)
    with shop.running(config):
        seen = shop.license(db, shop.customer(db, "seen"), plans["pro"])
        shop.wait_until_committed(db)
    stored = db.analytics_checkpoint.find_one({"_id": "checkpoint"})
    assert stored is not None
    damaged = damage(db, stored["token"], stored["cluster_time"])
    db.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": damaged})
    unseen = shop.license(db, shop.customer(db, "unseen"), plans["agency"])
    db.licenses.update_one({"_id": seen}, {"$set": {"status": "suspended"}})
    with shop.running(config):
        wait_until_consistent(db)
        shop.wait_until_committed(db)

    found = gap(db, cause)
    assert found["since"] is not None
    assert found["since"] <= found["until"] <= operation_time(db).as_datetime()
    assert (events(db)["license_created", unseen], events(db)["license_suspended", seen]) == (1, 1)
    assert db.business_events.count_documents({"metadata.recovered": True}) >= 3
    assert_nothing_lost_or_duplicated(db)
