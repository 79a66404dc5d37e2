"""Ids are equal exactly if the server says so, and sorted in the server's order."""

from contextlib import suppress
from datetime import UTC
from typing import Any
from uuid import uuid4

import bson
import pytest
from bson import Regex
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.errors import BulkWriteError

from daemon.mongo.client import CODEC
from daemon.mongo.ids import UnusableId, canonical
from daemon.mongo.types import Database
from daemon.source import snapshot
from daemon.source.decode import Decoder
from rules.model.changes import Source
from rules.model.documents import id_key
from tests import ids

PAIRS = st.lists(st.tuples(ids.SCALARS, ids.SCALARS) | ids.SCALARS.map(lambda one: (one, one)), min_size=1)


@pytest.fixture(scope="module")
def server(client: MongoClient[dict[str, Any]]) -> Database:
    return client.get_database("admin", codec_options=CODEC)


def decoded(value: object) -> Any:
    return bson.decode(bson.encode({"": value}), CODEC)[""]


def are_equal(server: Database, pairs: list[tuple[Any, Any]]) -> list[bool]:
    compared = {str(place): {"$eq": [{"$literal": a}, {"$literal": b}]} for place, (a, b) in enumerate(pairs)}
    return list(next(server.aggregate([{"$documents": [{}]}, {"$project": compared}])).values())


@given(PAIRS)
@example([(a, b) for number in (*ids.EDGES, 0.1, 5e-324) for a in ids._forms(number) for b in ids._forms(number)])
def test_two_ids_are_equal_exactly_if_the_server_says_so(server: Database, pairs: list[tuple[Any, Any]]) -> None:
    known = [(canonical(decoded(a)), canonical(decoded(b))) for a, b in pairs]

    assert [a == b for a, b in known] == are_equal(server, pairs)
    assert all(
        (hash(a), str(a), type(a), id_key(a)) == (hash(b), str(b), type(b), id_key(b)) for a, b in known if a == b
    )
    assert all(id_key(a) != id_key(b) for a, b in known if a != b)


@given(ids.SCALARS)
def test_a_canonical_id_is_stored_and_read_back_as_itself(server: Database, value: Any) -> None:
    known = canonical(decoded(value))

    assert are_equal(server, [(known, value)]) == [True]
    assert canonical(decoded(known)) == known


@pytest.mark.parametrize("value", [*ids.UNUSABLE, [1], Regex("a")], ids=repr)
def test_a_value_of_another_kind_is_no_id(value: object) -> None:
    with pytest.raises(UnusableId):
        canonical(decoded(value))


@settings(max_examples=40)
@given(st.lists(ids.SCALARS | st.sampled_from(ids.UNUSABLE), max_size=40), st.sampled_from(ids.COLLATIONS))
def test_a_snapshot_is_read_in_the_order_of_its_keys_whatever_the_collation(
    client: MongoClient[dict[str, Any]], values: list[Any], collation: dict[str, Any] | None
) -> None:
    database: Database = client.get_database(f"test_{uuid4().hex[:12]}", codec_options=CODEC)
    database.create_collection("customers", collation=collation)
    with suppress(BulkWriteError):
        database.customers.insert_many([{"_id": value} for value in values] or [{}], ordered=False)
    skipped: list[Any] = []
    found = [doc_id for doc_id, _ in snapshot.read(database, Source.CUSTOMERS, Decoder(UTC, ""), None, skipped)]

    assert found == sorted(found, key=snapshot.sort_key)
    assert len(found) + len(skipped) == database.customers.count_documents({})
    assert all(snapshot.read_one(database, Source.CUSTOMERS, one, Decoder(UTC, "")) is not None for one in found)
    client.drop_database(database.name)
