"""Work of the server as counted by its profiler, for tests of query cost that do not depend on time."""

from collections.abc import Callable

from daemon.mongo.types import Database


def examined(database: Database, work: Callable[[], object]) -> int:
    """Return the number of index keys and documents the server examined in this database during `work`."""
    database.command("profile", 2)
    try:
        work()
    finally:
        database.command("profile", 0)
    profiled = list(database["system.profile"].find({"command.profile": {"$exists": False}}))
    database["system.profile"].drop()
    return sum(one.get("keysExamined", 0) + one.get("docsExamined", 0) for one in profiled)
