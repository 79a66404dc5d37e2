"""Where the tests' MongoDB comes from: a container where there is an engine and an image, and never a registry."""

from typing import Any

import docker
import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from tests import containers
from tests.system_tools import missing


def test_an_image_that_is_not_there_is_not_fetched_and_the_embedded_server_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(containers, "IMAGE", "chatello-local/none:0")
    monkeypatch.delenv("CHATELLO_TEST_MONGODB", raising=False)

    assert not containers.available()
    with containers.replica_set() as uri:
        client: MongoClient[dict[str, Any]]
        with MongoClient(uri) as client:
            assert client.admin.command("hello")["setName"] == "embedded"


def test_a_container_serves_a_replica_set_on_loopback_and_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    if not containers.available():
        missing("testcontainers", f"no engine holds {containers.IMAGE}", "CHATELLO_TEST_NEEDS_ENGINE")
    monkeypatch.setenv("CHATELLO_TEST_MONGODB", "container")
    client: MongoClient[dict[str, Any]]
    engine = docker.from_env()
    before = {container.id for container in engine.containers.list(all=True)}
    with containers.replica_set() as uri:
        (made,) = [container for container in engine.containers.list() if container.id not in before]
        published = [port for ports in made.ports.values() for port in ports or ()]
        with MongoClient(uri) as client:
            customers: Collection[dict[str, Any]] = client["shop"]["customers"]
            with client.start_session() as session, session.start_transaction():
                customers.insert_one({"name": "A"}, session=session)
            assert customers.count_documents({}) == 1
    after = {container.id for container in engine.containers.list(all=True)}
    engine.close()

    assert {port["HostIp"] for port in published} == {"127.0.0.1"}
    assert after == before
