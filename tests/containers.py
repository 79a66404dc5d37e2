"""MongoDB in a container, started by testcontainers where an engine answers and already holds the image.

The law of this room: no registry is ever asked, and nothing is published but on loopback.
CHATELLO_TEST_MONGODB says `container` or `embedded` where a person wants one of them; CHATELLO_TEST_MONGODB_IMAGE names
the image.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import docker
from docker.errors import DockerException
from pymongo import MongoClient

from daemon.demo.embedded_mongo import SET_NAME, EmbeddedMongo, free_port, wait_for

IMAGE = os.environ.get("CHATELLO_TEST_MONGODB_IMAGE", "mongo:7.0")


@contextmanager
def replica_set() -> Iterator[str]:
    """The URI of a throw-away replica set: of a container where one can be had, else of the embedded server."""
    wanted = os.environ.get("CHATELLO_TEST_MONGODB", "container" if available() else "embedded")
    with _contained() if wanted == "container" else _embedded() as uri:
        yield uri


def available() -> bool:
    """Whether an engine answers and holds the image."""
    return IMAGE in images()


def images() -> set[str]:
    """What the engine holds, by name; nothing where no engine answers."""
    if not _listens():
        return set()
    try:
        with closing(docker.from_env(timeout=10)) as engine:
            return {tag for image in engine.images.list() for tag in image.tags}
    except DockerException:
        return set()


def _listens() -> bool:
    """Asked first: docker's library leaves a socket behind where nobody does."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(host.removeprefix("unix://")) == 0


@contextmanager
def _embedded() -> Iterator[str]:
    with EmbeddedMongo() as mongo:
        yield mongo.uri


@contextmanager
def _contained() -> Iterator[str]:
    """One member, known by the same address inside the container and outside."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its reaper is one more image to have
    from testcontainers.core.container import DockerContainer

    port = free_port()
    command = f"mongod --replSet {SET_NAME} --port {port} --bind_ip_all --wiredTigerCacheSizeGB 0.5"
    container = DockerContainer(IMAGE, command=command)
    container.ports[f"{port}/tcp"] = ("127.0.0.1", port)  # type: ignore[assignment]  # docker takes an address too
    with closing(container.get_docker_client().client), container:
        _initiate(f"127.0.0.1:{port}")
        yield f"mongodb://127.0.0.1:{port}/?replicaSet={SET_NAME}"


def _initiate(address: str) -> None:
    client: MongoClient[dict[str, Any]]
    with MongoClient(address, directConnection=True, serverSelectionTimeoutMS=60_000) as client:
        client.admin.command("replSetInitiate", {"_id": SET_NAME, "members": [{"_id": 0, "host": address}]})
        wait_for(lambda: bool(client.admin.command("hello")["isWritablePrimary"]), "a primary in the container")
