"""The mongod of the benchmark: started here and deleted at the end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bson.timestamp import Timestamp
from pymongo import MongoClient

from bench import processes
from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.client import CODEC
from daemon.mongo.types import Database, Document

DATABASE = "chatello_saas"
OPLOG_MEGABYTES = 4000
"""Large enough for the backlog and its `last_check` updates, however slow a contender is."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running replica set of one member."""

    mongo: EmbeddedMongo
    client: MongoClient[Document]
    database: str = DATABASE

    @property
    def uri(self) -> str:
        return self.mongo.uri

    @property
    def db(self) -> Database:
        return self.client.get_database(self.database, codec_options=CODEC)

    @property
    def pid(self) -> int:
        process = self.mongo.members[0].process
        assert process is not None, "the server is not running"
        return process.pid

    def cpu_seconds(self) -> float:
        return processes.cpu_seconds(self.pid)

    def now(self) -> Timestamp:
        """Return the cluster time of the newest write."""
        time: Timestamp = self.client.admin.command("ping")["operationTime"]
        return time

    def operations(self) -> dict[str, int]:
        """Return the operations by kind since the server started (serverStatus, opcounters)."""
        return dict(self.client.admin.command("serverStatus")["opcounters"])


@contextmanager
def running(arguments: Sequence[str] = ("--oplogSize", str(OPLOG_MEGABYTES))) -> Iterator[Server]:
    with EmbeddedMongo(arguments=arguments) as mongo:
        client: MongoClient[Document]
        with MongoClient(mongo.uri, tz_aware=True) as client:
            yield Server(mongo, client)
