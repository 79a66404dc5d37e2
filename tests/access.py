"""A database with a user `analytics` of the shipped role, created as deploy/mongodb describes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.client import CODEC
from daemon.mongo.types import Database
from tests.shop import ROOT

ROLE: dict[str, Any] = json.loads((ROOT / "deploy" / "mongodb" / "role.json").read_text())


@contextmanager
def database_with_role(mongo: EmbeddedMongo, name: str) -> Iterator[Database]:
    client: MongoClient[dict[str, Any]]
    with MongoClient(uri_of(mongo, "root", "root", "admin"), tz_aware=True) as client:
        db: Database = client.get_database(name, codec_options=CODEC)
        db.command("createRole", ROLE["role"], privileges=privileges(ROLE["privileges"], name), roles=[])
        db.command("createUser", "analytics", pwd="analytics", roles=[ROLE["role"]])
        try:
            yield db
        finally:
            db.command("dropUser", "analytics")
            db.command("dropRole", ROLE["role"])
            client.drop_database(name)


def privileges(given: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return privileges in the format of createRole."""
    return [{"resource": {"db": name, "collection": p["collection"]}, "actions": p["actions"]} for p in given]


def uri_of(mongo: EmbeddedMongo, user: str, password: str, source: str) -> str:
    return mongo.uri.replace("mongodb://", f"mongodb://{user}:{password}@") + f"&authSource={source}"
