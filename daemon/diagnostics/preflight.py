"""Is the database as we need it? Each finding says in plain words what is there, and how to mend what is not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from daemon.errors import AccessDenied, ChatelloError, ConfigurationError
from daemon.mongo.client import translated
from daemon.mongo.collections import (
    AUDIT,
    CHECKPOINT,
    DEAD_LETTERS,
    EVENTS,
    FORGOTTEN,
    GAPS,
    KEPT_ROWS,
    LEDGER,
    MIRROR,
    ROWS,
)
from daemon.mongo.types import Database, Document
from daemon.source import api_usage, custom_rules
from daemon.source.filter import WATCHED, stages
from daemon.store import indexes
from rules.settings.custom_rules import CustomRule

OLDEST = (6, 0)

NEEDED: dict[str, tuple[str, ...]] = {
    "": ("find", "changeStream", "listCollections", "listIndexes"),
    MIRROR: ("insert", "update", "remove", "createCollection", "createIndex"),
    LEDGER: ("insert", "createCollection", "createIndex"),
    CHECKPOINT: ("insert", "update", "createCollection"),
    DEAD_LETTERS: ("insert", "update", "createCollection"),
    GAPS: ("insert", "update", "createCollection", "createIndex"),
    KEPT_ROWS: ("insert", "update", "createCollection"),
    FORGOTTEN: ("insert", "update", "createCollection"),
    AUDIT: ("insert", "createCollection"),
    EVENTS: ("insert", "update", "remove", "createIndex"),
    ROWS: ("insert", "update", "createIndex"),
}
"""The rights the daemon uses, by collection ("": the whole database); deploy/mongodb/role.json grants just these."""

NEEDED_TO_LET_GO: dict[str, tuple[str, ...]] = {**NEEDED, LEDGER: (*NEEDED[LEDGER], "remove")}
"""The rights it uses where [retention] ledger_days is set."""


class CheckResult(NamedTuple):
    """One thing looked at; `cure` is empty when it is as it should be."""

    what: str
    found: str
    cure: str = ""


def require(database: Database) -> None:
    """The least that must hold before anything starts; raises ConfigurationError, LoginRefused or Unavailable."""
    with translated():
        hello = database.client.admin.command("hello")
        database.command("ping")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise ConfigurationError(
            "the MongoDB server is not a replica set; change streams and transactions need one: start mongod "
            "with --replSet NAME and run rs.initiate() once (one member is enough)"
        )
    with translated():
        database[EVENTS].find_one({}, {"_id": 1})


def findings(database: Database, rules: Sequence[CustomRule] = (), *, lets_go: bool = False) -> Iterator[CheckResult]:
    """Everything `check` looks at, in the order a person would; stops at the first thing the rest needs."""
    try:
        require(database)
    except ChatelloError as problem:
        yield CheckResult("database", "not usable", str(problem))
        return
    yield CheckResult("database", f"{database.name}, reached as a replica set")
    yield _version(database)
    yield _stream(database)
    if rules:
        yield _custom(database, rules)
    yield from _allowed_to("collections", _collections(database))
    yield from _allowed_to("indexes", _indexes(database))
    yield from _allowed_to(api_usage.COLLECTION, _calls(database))
    yield from _rights(database, NEEDED_TO_LET_GO if lets_go else NEEDED)


def _allowed_to(look_at: str, found: Iterator[CheckResult]) -> Iterator[CheckResult]:
    """What was found, or that we may not even look."""
    try:
        yield from found
    except AccessDenied as refused:
        yield CheckResult(look_at, "cannot be looked at", str(refused))


def _version(database: Database) -> CheckResult:
    with translated():
        version = database.client.server_info()["version"]
    old = tuple(int(part) for part in version.split(".")[:2]) < OLDEST
    return CheckResult("version", f"MongoDB {version}", "upgrade the server to 6.0 or newer" if old else "")


def _stream(database: Database) -> CheckResult:
    try:
        with translated(), database.watch(stages(), max_await_time_ms=1) as stream:
            stream.try_next()
    except ChatelloError as problem:
        return CheckResult("change stream", "cannot be opened", str(problem))
    return CheckResult("change stream", "opens")


def _custom(database: Database, rules: Sequence[CustomRule]) -> CheckResult:
    try:
        custom_rules.require(database, rules)
    except ChatelloError as problem:
        return CheckResult("rules of your own", "refused", str(problem))
    return CheckResult("rules of your own", ", ".join(f"{rule.name} on {rule.collection}" for rule in rules))


def _collections(database: Database) -> Iterator[CheckResult]:
    with translated():
        present = set(database.list_collection_names())
    if present.isdisjoint(WATCHED):
        cure = f"no harm on a new shop; else check mongodb.database: it is {database.name!r}"
        yield CheckResult("the shop", f"none of its collections is in {database.name}", cure)
        return
    for name in WATCHED:
        yield CheckResult(name, "is there" if name in present else "does not exist yet")


def _indexes(database: Database) -> Iterator[CheckResult]:
    for name in indexes.WANTED:
        keys = [", ".join(index.document["key"]) for index in indexes.missing(database, name)]
        found = f"the daemon will make {'; '.join(keys)} when it starts" if keys else "complete"
        yield CheckResult(f"indexes of {name}", found)
        doubled = indexes.doubled(database) if keys and name == ROWS else []
        if doubled:
            yield CheckResult(name, f"there are {', '.join(doubled)}", indexes.ONE_ROW)


def _calls(database: Database) -> Iterator[CheckResult]:
    index = api_usage.index(database)
    lacking = (
        f"no index begins with {api_usage.FIELD}: the day's API calls are not counted ({api_usage.CURE} changes that)"
    )
    yield CheckResult(api_usage.COLLECTION, f"counted by its index {index}" if index else lacking)


def _rights(database: Database, needed: Mapping[str, tuple[str, ...]]) -> Iterator[CheckResult]:
    """What the signed-in user may do, as the server tells; a server without access control allows all."""
    with translated():
        status = database.command("connectionStatus", showPrivileges=True)["authInfo"]
    if not status["authenticatedUsers"]:
        yield CheckResult("rights", "the server asks for no login", "")
        return
    for name, wanted in needed.items():
        lacking = sorted(set(wanted) - _allowed(status["authenticatedUserPrivileges"], database.name, name))
        yield CheckResult(
            f"rights on {name or 'the database'}",
            f"missing: {', '.join(lacking)}" if lacking else "as needed",
            f"grant {', '.join(lacking)} on {database.name}.{name} (deploy/mongodb)" if lacking else "",
        )


def _allowed(privileges: list[Document], database: str, collection: str) -> set[str]:
    allowed: set[str] = set()
    for privilege in privileges:
        resource = privilege["resource"]
        if resource.get("anyResource") or (
            resource.get("db") in (database, "") and resource.get("collection") in (collection, "")
        ):
            allowed.update(privilege["actions"])
    return allowed
