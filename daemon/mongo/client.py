"""Creation of the client, and translation of driver errors to the classes of `daemon.errors`.

The client reads dates of any year, replaces invalid UTF-8, and never retries longer than its timeout.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient
from pymongo.common import URI_OPTIONS_VALIDATOR_MAP
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
from daemon.mongo.ids import TYPES
from daemon.mongo.monitoring import CommandMonitor
from daemon.mongo.types import Database, Document
from daemon.runtime import logs
from daemon.runtime.health import Health

CAUSES_BY_CODE = {286: "history_lost", 136: "history_lost", 280: "fatal", 260: "bad_token", 10334: "event_too_large"}
BAD_TOKEN_CODES = {9, 15}
FIRST_ASSERTION = 40_000
"""The server rejects a malformed token with the first failing assertion: 40647, 50796, 50811 and others."""
ACCESS_DENIED_CODES = {13}
LOGIN_REFUSED_CODES = {18, 334, 8000}
NO_REPLICA_SET_CODES = {20, 40573}
SNAPSHOT_TOO_OLD = 239

BATCH_SIZE = 1000
"""Documents per cursor batch. By default the server sends 16 MB, which is ten times that in Python objects."""

OPTION_HINT = "an option of mongodb.uri is unknown or has an invalid value; check its options, and escape the password"

log = logs.get("connection")

CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
    type_registry=TYPES,
)


def _forced_options(timeout_seconds: float) -> dict[str, Any]:
    """Return the options that override the ones of the connection string, which other programs use too.

    Transactions and change streams need the primary and the default read concern; every write must be durable; and
    the time of an operation is limited by `mongodb.timeout_seconds` alone.
    """
    milliseconds = int(timeout_seconds * 1000)
    return {
        "appname": "chatello-analytics",
        "readPreference": "primary",
        "readPreferenceTags": "",
        "maxStalenessSeconds": -1,
        "readConcernLevel": None,
        "w": "majority",
        "wtimeoutMS": 0,
        "retryReads": True,
        "retryWrites": True,
        "timeoutMS": None,
        "serverSelectionTimeoutMS": milliseconds,
        "waitQueueTimeoutMS": milliseconds,
        "socketTimeoutMS": milliseconds + 30_000,
        "connectTimeoutMS": 5000,
        "minPoolSize": 0,
        "maxPoolSize": 10,
        "tz_aware": True,
    }


def connect(config: Mongodb, health: Health | None = None) -> MongoClient[Document]:
    """Return a client that fails within `timeout_seconds`. The daemon's (with `health`) logs which options are ignored.

    Raises ConfigurationError for an invalid URI, and Unavailable if the hosts of a mongodb+srv URI cannot be resolved.
    """
    try:
        with warnings.catch_warnings(record=True) as ignored:
            warnings.simplefilter("always")
            client: MongoClient[Document] = MongoClient(
                config.uri.get_secret_value(),
                **_forced_options(config.timeout_seconds),
                event_listeners=[CommandMonitor(health or Health())],
            )
    except OSError as problem:
        raise ConfigurationError(
            f"mongodb.uri: cannot read a file of its TLS options: {problem.strerror}: {problem.filename}"
        ) from None
    except (DriverConfigurationError, InvalidURI, ValueError, TypeError, KeyError) as problem:
        if _is_dns_error(problem.__cause__):
            raise Unavailable(
                f"cannot resolve the host in mongodb.uri: {problem}; check the host name and this machine's DNS"
            ) from problem
        raise ConfigurationError(
            "mongodb.uri: not a valid MongoDB connection string; use mongodb://HOST:PORT/?replicaSet=NAME "
            f"or mongodb+srv://HOST{_options_in(problem)} (the value is not shown, because it may contain a password)"
        ) from None
    if health is not None:
        for warning in ignored:
            log.warning("connection.option_ignored", options=_named_options(warning.message), hint=OPTION_HINT)
    return client


def _options_in(problem: Exception) -> str:
    named = _named_options(problem)
    return f"; the driver rejects the option {', '.join(named)}" if named else ""


def _named_options(problem: Exception | str) -> list[str]:
    """Return which options a text of the driver names, and nothing else of it, because it may contain a password."""
    words = re.findall(r"\w+", str(problem).partition("Did you mean")[0])
    return list(dict.fromkeys(word for word in words if word.lower() in URI_OPTIONS_VALIDATOR_MAP and word != "driver"))


def _is_dns_error(cause: BaseException | None) -> bool:
    from dns.exception import DNSException  # noqa: PLC0415 - a dependency of PyMongo, loaded only for mongodb+srv

    return isinstance(cause, DNSException | OSError)


def database(client: MongoClient[Document], config: Mongodb) -> Database:
    return client.get_database(config.database, codec_options=CODEC)


@contextmanager
def bounded(seconds: float | None) -> Iterator[None]:
    """Limit all database operations of the block to so many seconds in total (None: no limit); raise Unavailable after
    that.
    """
    with pymongo.timeout(seconds), translated():
        yield


@contextmanager
def translated() -> Iterator[None]:
    """Translate driver errors inside the block, keeping them as the cause."""
    try:
        yield
    except PyMongoError as error:
        raise translate(error) from error


def translate(error: PyMongoError) -> ChatelloError:
    """Return the daemon's error for a driver error (field notes: error classes).

    Never StreamBroken, which only the change stream causes: after a failed write the checkpoint has to be read first.
    """
    if isinstance(error, OperationFailure):
        return _operation_failure(error)
    text = _message(error)
    if isinstance(error, ServerSelectionTimeoutError) and _is_tls(text):
        return ConfigurationError(
            f"TLS handshake with the database failed: {text}; check the TLS options and certificates in mongodb.uri"
        )
    if isinstance(error, ServerSelectionTimeoutError) and "available for replica set name" in text:
        return ConfigurationError(
            f"no server of this replica set is reachable: {text}; "
            "replicaSet= in mongodb.uri must be the name the servers use (rs.status().set)"
        )
    if isinstance(error, DriverConfigurationError) and not _is_dns_error(error.__cause__):
        return ConfigurationError(f"mongodb.uri: an option cannot be used with this server or driver: {text}")
    if isinstance(error, ConnectionFailure | ExecutionTimeout):
        return Unavailable(f"the database does not answer: {text}")
    return Unavailable(f"the database driver raised {type(error).__name__}: {text}")


def _message(error: PyMongoError) -> str:
    """Return the first line of the driver's message, without its settings and topology description."""
    text = str(error).partition(" (configured timeouts")[0].partition(", Timeout: ")[0]
    return text.splitlines()[0][:300] if text else "no reason given"


def _is_tls(text: str) -> bool:
    return "SSL" in text or "certificate" in text


def _operation_failure(error: OperationFailure) -> ChatelloError:
    code, text = error.code or 0, str(error.details.get("errmsg", "") if error.details else error)[:300]
    text = text.partition(", lsid: ")[0]  # omit the binary session id of the rejected command
    if code in LOGIN_REFUSED_CODES:
        return AccessDenied(f"MongoDB refuses this login: check user, password and authSource ({text})")
    if code in ACCESS_DENIED_CODES:
        return AccessDenied(f"the database denied access: {text}; check the role of the user (deploy/mongodb)")
    if code in NO_REPLICA_SET_CODES:
        return ConfigurationError(
            f"the MongoDB server is not a replica set ({text}); change streams and transactions require one: "
            "start mongod with --replSet NAME and run rs.initiate() once"
        )
    kind = SnapshotTooOld if code == SNAPSHOT_TOO_OLD else Unavailable
    return kind(
        f"the database returned error {code} ({error.details.get('codeName', '?') if error.details else '?'}): {text}"
    )


def stream_failure(error: PyMongoError, *, opening: bool = False) -> ChatelloError:
    """Return the daemon's error for an error of the change stream; a bad token is detected when `opening` it."""
    code = error.code if isinstance(error, OperationFailure) else None
    if code in CAUSES_BY_CODE:
        text = str(error).partition(", full error")[0][:300]
        return StreamBroken(CAUSES_BY_CODE[code], f"the change stream cannot be resumed: {text}")
    if opening and code is not None and _is_bad_token(code):
        return StreamBroken("bad_token", "the server rejects the stored resume token")
    return translate(error)


def _is_bad_token(code: int) -> bool:
    return code in BAD_TOKEN_CODES or (code >= FIRST_ASSERTION and code not in NO_REPLICA_SET_CODES)
