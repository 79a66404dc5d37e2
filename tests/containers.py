"""MongoDB in a container, started by testcontainers if a docker engine is running and holds the image.

No image is pulled from a registry, and ports are published on loopback only. CHATELLO_TEST_MONGODB selects `container`
or `embedded`; CHATELLO_TEST_MONGODB_IMAGE names the image.
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

IMAGE = os.environ.get("CHATELLO_TEST_MONGODB_IMAGE", "mongo:8.0")


@contextmanager
def replica_set() -> Iterator[str]:
    """Start a throw-away replica set, in a container if possible, else the embedded server; yield its URI."""
    kind = os.environ.get("CHATELLO_TEST_MONGODB", "container" if available() else "embedded")
    with _container() if kind == "container" else _embedded() as uri:
        yield uri


def available() -> bool:
    """Return whether a docker engine is running and holds the image."""
    return IMAGE in images()


def images() -> set[str]:
    """Return the tags of the engine's images, an empty set if no engine is running."""
    if not _is_listening():
        return set()
    try:
        with closing(docker.from_env(timeout=10)) as engine:
            return {tag for image in engine.images.list() for tag in image.tags}
    except DockerException:
        return set()


def _is_listening() -> bool:
    """Return whether the engine's socket is open (docker's library leaks a socket otherwise)."""
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
def _container() -> Iterator[str]:
    """Start one member, with the same address inside and outside of the container."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its reaper needs another image
    from testcontainers.core.container import DockerContainer

    port = free_port()
    command = f"mongod --replSet {SET_NAME} --port {port} --bind_ip_all --wiredTigerCacheSizeGB 0.5"
    container = DockerContainer(IMAGE, command=command)
    container.ports[f"{port}/tcp"] = ("127.0.0.1", port)  # type: ignore[assignment]  # docker accepts (address, port)
    with closing(container.get_docker_client().client), container:
        _initiate(f"127.0.0.1:{port}")
        yield f"mongodb://127.0.0.1:{port}/?replicaSet={SET_NAME}"


def _initiate(address: str) -> None:
    client: MongoClient[dict[str, Any]]
    with MongoClient(address, directConnection=True, serverSelectionTimeoutMS=60_000) as client:
        client.admin.command("replSetInitiate", {"_id": SET_NAME, "members": [{"_id": 0, "host": address}]})
        wait_for(lambda: bool(client.admin.command("hello")["isWritablePrimary"]), "a primary in the container")
