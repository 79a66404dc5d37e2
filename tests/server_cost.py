"""What a question costs the server, as its own profiler counts it: for laws about work, which no clock has a say in."""

from collections.abc import Callable

from daemon.mongo.types import Database


def examined(database: Database, work: Callable[[], object]) -> int:
    """How many index keys and documents of this database the server looked at while `work` was done."""
    database.command("profile", 2)
    try:
        work()
    finally:
        database.command("profile", 0)
    told = list(database["system.profile"].find({"command.profile": {"$exists": False}}))
    database["system.profile"].drop()
    return sum(one.get("keysExamined", 0) + one.get("docsExamined", 0) for one in told)
