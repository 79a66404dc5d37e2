"""What a server and the collections must be so that the daemon can follow them."""

from collections.abc import Sequence

from daemon.errors import AccessDenied, ConfigurationError
from daemon.mongo.client import translated
from daemon.mongo.collections import EVENTS, OWN, ROWS, SHARED
from daemon.mongo.types import Database, Document
from daemon.source import reads
from daemon.source.filter import WATCHED
from rules.settings.custom_rules import CustomRule

FOLLOWED = (*WATCHED, EVENTS, ROWS)
UNSUPPORTED_TYPES = {
    "view": (
        "a view, which has no change stream",
        "set mongodb.database to the database that contains the collection itself",
    ),
    "timeseries": (
        "a time series collection, which has no change stream",
        "copy its documents into an ordinary collection of this name",
    ),
}
"""What is wrong with a collection of this type (listCollections), and the fix."""
SHARDED = (
    "a sharded collection, but the daemon needs its unique indexes, and its transactions on one shard",
    "copy its documents into an ordinary collection of this name (docs/scaling.md)",
)
MONGOS = "isdbgrid"
"""What a mongos answers to `hello`."""
CAPPED = (
    "a capped collection, whose oldest documents MongoDB deletes without a change event",
    "copy its documents into an ordinary collection of this name",
)


def require(database: Database, rules: Sequence[CustomRule] = ()) -> None:
    """Check the minimum for a start; raises ConfigurationError, AccessDenied or Unavailable."""
    require_replica_set(database)
    for name, (problem, fix) in unsupported_collections(database, rules).items():
        raise ConfigurationError(f"{database.name}.{name} is {problem}; {fix}")


def require_replica_set(database: Database) -> None:
    with translated():
        hello = database.client.admin.command("hello")
        database.command("ping")
    problem = server_problem(hello)
    if problem:
        raise ConfigurationError(problem)
    with translated():
        database[EVENTS].find_one({}, {"_id": 1})


def server_problem(hello: Document) -> str:
    """Return why the daemon cannot use the server that answered `hello`, with a fix; "" if it can."""
    if "setName" not in hello and hello.get("msg") != MONGOS:
        return (
            "the MongoDB server is not a replica set; change streams and transactions need one: start mongod "
            "with --replSet NAME and run rs.initiate() once (one member is enough)"
        )
    if hello.get("secondary"):
        return (
            f"mongodb.uri leads only to {hello.get('me')}, a secondary, because of directConnection=true; "
            f"remove that option or use the address of the primary, {hello.get('primary', 'unknown at the moment')}"
        )
    return ""


def unsupported_collections(database: Database, rules: Sequence[CustomRule] = ()) -> dict[str, tuple[str, str]]:
    """Return kind and fix of each collection of the dashboard (or of a custom rule) that cannot be followed."""
    names = {*FOLLOWED, *(rule.collection for rule in rules)}
    found: dict[str, tuple[str, str]] = {}
    with translated():
        for info in database.list_collections(filter={"name": {"$in": sorted(names)}}):
            if info["type"] in UNSUPPORTED_TYPES:
                found[info["name"]] = UNSUPPORTED_TYPES[info["type"]]
            elif info["options"].get("capped") and info["name"] in FOLLOWED:
                found[info["name"]] = CAPPED
    return {**found, **dict.fromkeys(_sharded_writes(database), SHARDED)}


def _sharded_writes(database: Database) -> list[str]:
    """Return the sharded collections among those that the daemon writes; none if the user may not read `config`."""
    with translated():
        if database.client.admin.command("hello").get("msg") != MONGOS:
            return []
    try:
        return sharded(database, (*OWN, *SHARED))
    except AccessDenied:
        return []


def sharded(database: Database, names: Sequence[str]) -> list[str]:
    """Return which of these collections are sharded, as `config.collections` of a sharded cluster records it."""
    namespaces = [f"{database.name}.{name}" for name in names]
    with translated():
        found = reads.find(database.client.get_database("config"), "collections", {"_id": {"$in": namespaces}})
        return [document["_id"].partition(".")[2] for document in found if not document.get("dropped")]
