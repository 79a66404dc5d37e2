"""Opens the database and translates what the driver raises into our decisions.

The client reads dates of any year, survives invalid UTF-8, and never retries longer than its timeout.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient
from pymongo.errors import (
    ConfigurationError as DriverConfigurationError,
)
from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from daemon.config.schema import Mongodb
from daemon.errors import AccessDenied, ChatelloError, ConfigurationError, SnapshotTooOld, StreamBroken, Unavailable
from daemon.mongo.monitoring import COMMAND_MONITOR
from daemon.mongo.types import Database, Document

HISTORY_LOST = {286: "history_lost", 136: "history_lost", 280: "fatal", 260: "bad_token", 10334: "event_too_large"}
BAD_TOKEN = {9, 15}
FIRST_ASSERTION = 40_000
"""The server refuses a malformed token by whichever assertion it meets first: 40647, 50796, 50811 and others."""
LOGIN = {13, 18, 8000}
NO_REPLICA_SET = {20, 40573}
SNAPSHOT_TOO_OLD = 239

BATCH = 1000
"""Documents a cursor asks for at once. Left to itself the server sends 16 MB, which is ten times that in Python."""

CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)


def connect(config: Mongodb) -> MongoClient[Document]:
    """A client that fails within `timeout_seconds`; raises ConfigurationError for an unusable URI.

    Of a mongodb+srv one the hosts are asked of DNS here: where it does not tell them that is Unavailable, and may pass.
    """
    try:
        return MongoClient(
            config.uri.get_secret_value(),
            appname="chatello-analytics",
            serverSelectionTimeoutMS=int(config.timeout_seconds * 1000),
            connectTimeoutMS=5000,
            socketTimeoutMS=int((config.timeout_seconds + 30) * 1000),
            tz_aware=True,
            maxPoolSize=10,
            event_listeners=[COMMAND_MONITOR],
        )
    except (DriverConfigurationError, InvalidURI, ValueError, TypeError) as problem:
        if _is_of_dns(problem.__cause__):
            raise Unavailable(
                f"DNS does not tell the servers of the name in mongodb.uri: {problem}; does this machine's DNS answer, "
                "and is the name the right one?"
            ) from problem
        raise ConfigurationError(
            "mongodb.uri: not a usable MongoDB connection string; wanted mongodb://HOST:PORT/?replicaSet=NAME "
            "or mongodb+srv://HOST (the value is not shown, it may hold a password)"
        ) from None


def _is_of_dns(cause: BaseException | None) -> bool:
    from dns.exception import DNSException  # noqa: PLC0415 - the driver's own, and loaded for mongodb+srv alone

    return isinstance(cause, DNSException | OSError)


def database(client: MongoClient[Document], config: Mongodb) -> Database:
    return client.get_database(config.database, codec_options=CODEC)


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Have everything the block asks of the database answered in so many seconds altogether, or raise Unavailable."""
    with pymongo.timeout(seconds), translated():
        yield


@contextmanager
def translated() -> Iterator[None]:
    """Turn driver errors inside the block into ours, keeping the cause."""
    try:
        yield
    except PyMongoError as error:
        raise translate(error) from error


def translate(error: PyMongoError) -> ChatelloError:
    """Which decision a driver error asks for (field notes: error classes).

    Never StreamBroken: only the stream can be, and after a failed write the checkpoint has to be read back first.
    """
    if isinstance(error, OperationFailure):
        return _operation_failure(error)
    text = _reason(error)
    if isinstance(error, ServerSelectionTimeoutError) and _is_tls(text):
        return ConfigurationError(f"TLS to the database fails: {text}; check tls options and certificates in the URI")
    if isinstance(error, ServerSelectionTimeoutError) and "available for replica set name" in text:
        return ConfigurationError(
            f"no server answers under this replica set name: {text}; "
            "replicaSet= in mongodb.uri must be the name the servers use (rs.status().set)"
        )
    if isinstance(error, ConnectionFailure | ExecutionTimeout):
        return Unavailable(f"the database does not answer: {text}")
    return Unavailable(f"the database driver reports {type(error).__name__}: {text}")


def _reason(error: PyMongoError) -> str:
    """The driver's text as far as it is for people: without its settings and its picture of the servers."""
    text = str(error).partition(" (configured timeouts")[0].partition(", Timeout: ")[0]
    return text.splitlines()[0][:300] if text else "no reason given"


def _is_tls(text: str) -> bool:
    return "SSL" in text or "certificate" in text


def _operation_failure(error: OperationFailure) -> ChatelloError:
    code, text = error.code or 0, str(error.details.get("errmsg", "") if error.details else error)[:300]
    text = text.partition(", lsid: ")[0]  # of the refused command only what a person can read
    if code in LOGIN:
        return AccessDenied(f"the database refuses us: {text}; check user, password and role (deploy/mongodb)")
    if code in NO_REPLICA_SET:
        return ConfigurationError(
            f"the MongoDB server is not a replica set ({text}); change streams and transactions need one: "
            "start mongod with --replSet NAME and run rs.initiate() once"
        )
    kind = SnapshotTooOld if code == SNAPSHOT_TOO_OLD else Unavailable
    return kind(
        f"the database reports error {code} ({error.details.get('codeName', '?') if error.details else '?'}): {text}"
    )


def stream_failure(error: PyMongoError, *, opening: bool = False) -> ChatelloError:
    """Which decision an error of the change stream asks for; a bad token shows itself when `opening` with it."""
    code = error.code if isinstance(error, OperationFailure) else None
    if code in HISTORY_LOST:
        text = str(error).partition(", full error")[0][:300]
        return StreamBroken(HISTORY_LOST[code], f"the change stream ended for good: {text}")
    if opening and code is not None and (code in BAD_TOKEN or (code >= FIRST_ASSERTION and code not in NO_REPLICA_SET)):
        return StreamBroken("bad_token", "the stored resume token is not one the server understands")
    return translate(error)
