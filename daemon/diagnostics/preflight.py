"""Checks of the database before a start; each failed check has a hint for its fix."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from daemon.config.schema import Config
from daemon.delivery import target_check
from daemon.diagnostics import address_filter
from daemon.diagnostics.requirements import require_replica_set, unsupported_collections
from daemon.errors import AccessDenied, ChatelloError
from daemon.mongo.client import translated
from daemon.mongo.collections import (
    AUDIT,
    CHECKPOINT,
    DEAD_LETTERS,
    ERASURE_LIST,
    EVENTS,
    GAPS,
    LEDGER,
    MIRROR,
    OUTBOX,
    ROWS,
    TARGETS,
    WRITTEN_ROWS,
)
from daemon.mongo.types import Database, Document
from daemon.runtime.check_result import CheckResult
from daemon.source import api_usage, custom_rules
from daemon.source.filter import WATCHED, stages
from daemon.store import checkpoint, gaps, indexes
from rules.settings.custom_rules import CustomRule

MINIMUM_VERSION = (6, 0)

REQUIRED_PRIVILEGES: dict[str, tuple[str, ...]] = {
    "": ("find", "changeStream", "listCollections", "listIndexes"),
    MIRROR: ("insert", "update", "remove", "createCollection", "createIndex"),
    LEDGER: ("insert", "createCollection", "createIndex"),
    CHECKPOINT: ("insert", "update", "createCollection"),
    DEAD_LETTERS: ("insert", "update", "createCollection"),
    GAPS: ("insert", "update", "createCollection", "createIndex"),
    WRITTEN_ROWS: ("insert", "update", "createCollection"),
    ERASURE_LIST: ("insert", "update", "createCollection"),
    AUDIT: ("insert", "createCollection"),
    EVENTS: ("insert", "update", "remove", "createIndex"),
    ROWS: ("insert", "update", "createIndex"),
}
"""Privileges of the daemon by collection ("": the whole database)."""

DELIVERY_PRIVILEGES: dict[str, tuple[str, ...]] = {
    OUTBOX: ("insert", "remove", "createCollection"),
    TARGETS: ("insert", "update", "createCollection"),
    WRITTEN_ROWS: ("insert", "update", "createCollection", "createIndex"),
}
"""Further privileges if a target is configured; the shipped role has them too."""


def required_privileges(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the privileges that the daemon needs with a configuration."""
    needed = {**REQUIRED_PRIVILEGES, **(DELIVERY_PRIVILEGES if config.delivers else {})}
    if config.retention.ledger_days:
        needed[LEDGER] = (*needed[LEDGER], "remove")
    return needed


def run_checks(
    database: Database,
    rules: Sequence[CustomRule] = (),
    privileges: Mapping[str, tuple[str, ...]] = REQUIRED_PRIVILEGES,
) -> Iterator[CheckResult]:
    """Yield the results of all checks; only one if the database is unusable.

    Raises ConfigurationError if a newer program wrote the data: no start of this one can succeed.
    """
    try:
        require_replica_set(database)
    except ChatelloError as problem:
        yield CheckResult("database", "not usable", str(problem))
        return
    checkpoint.require_known_format(database)
    yield CheckResult("database", f"{database.name}, reached as a replica set")
    yield from _direct_connection(database)
    yield _version(database)
    yield _stream(database)
    if rules:
        yield _custom_rules(database, rules)
    yield from _unless_denied("collections", _collections(database, rules))
    yield from _unless_denied("deletions", _deletions(database))
    yield from _unless_denied("indexes", _indexes(database))
    yield from _unless_denied(api_usage.COLLECTION, _api_usage(database))
    yield from _privileges(database, privileges)


def check_targets(config: Config, path: Path) -> Iterator[CheckResult]:
    """Yield one result per target of deliveries, and those that the unit's address filter forbids.

    `path` is the configuration file.
    """
    yield from target_check.check_targets(config, path)
    if config.webhooks or config.notify:
        unit = address_filter.unit_of(path)
        for name in address_filter.forbidden(config, address_filter.read(unit)):
            yield CheckResult(f"target {name}", f"the address filter of {unit} forbids it", address_filter.HINT)


def _unless_denied(subject: str, results: Iterator[CheckResult]) -> Iterator[CheckResult]:
    """Yield the results, or one failed result if the user lacks the privileges to check."""
    try:
        yield from results
    except AccessDenied as refused:
        yield CheckResult(subject, "cannot be checked", str(refused))


def _version(database: Database) -> CheckResult:
    with translated():
        version = database.client.server_info()["version"]
    old = tuple(int(part) for part in version.split(".")[:2]) < MINIMUM_VERSION
    return CheckResult("version", f"MongoDB {version}", "upgrade the server to 6.0 or newer" if old else "")


def _stream(database: Database) -> CheckResult:
    try:
        with translated(), database.watch(stages(), max_await_time_ms=1) as stream:
            stream.try_next()
    except ChatelloError as problem:
        return CheckResult("change stream", "cannot be opened", str(problem))
    return CheckResult("change stream", "opens")


def _custom_rules(database: Database, rules: Sequence[CustomRule]) -> CheckResult:
    try:
        custom_rules.validate(database, rules)
    except ChatelloError as problem:
        return CheckResult("custom rules", "refused", str(problem))
    return CheckResult("custom rules", ", ".join(f"{rule.name} on {rule.collection}" for rule in rules))


def _direct_connection(database: Database) -> Iterator[CheckResult]:
    """Yield a problem if a failover to another member would not be followed."""
    client = database.client
    with translated():
        members = client.admin.command("hello").get("hosts", [])
    if client.options.direct_connection and len(members) > 1:
        yield CheckResult(
            "failover",
            "directConnection=true in mongodb.uri prevents it: the daemon stops working when another member is elected",
            f"remove directConnection=true and name the members: {', '.join(members)}",
        )


def _collections(database: Database, rules: Sequence[CustomRule]) -> Iterator[CheckResult]:
    with translated():
        present = set(database.list_collection_names())
    unsupported = unsupported_collections(database, rules)
    for name, (problem, fix) in unsupported.items():
        yield CheckResult(name, problem, fix)
    if present.isdisjoint(WATCHED):
        hint = f"normal for a new shop; otherwise correct mongodb.database, which is {database.name!r}"
        yield CheckResult("dashboard collections", f"none exists in {database.name}", hint)
        return
    for name in WATCHED:
        if name not in unsupported:
            yield CheckResult(name, "exists" if name in present else "does not exist yet")


def _deletions(database: Database) -> Iterator[CheckResult]:
    question = gaps.pending_question(database)
    if question:
        hint = "list the documents with `chatello-analytics reconcile --dry-run`"
        yield CheckResult("deletions", f"waiting for approval: {question}", hint)


def _indexes(database: Database) -> Iterator[CheckResult]:
    unsupported = unsupported_collections(database)
    for name in (one for one in indexes.WANTED if one not in unsupported):
        keys = [", ".join(index.document["key"]) for index in indexes.missing(database, name)]
        found = f"the daemon creates {'; '.join(keys)} at its start" if keys else "complete"
        yield CheckResult(f"indexes of {name}", found)
        doubled = indexes.doubled(database) if keys and name == ROWS else []
        if doubled:
            yield CheckResult(name, f"duplicate rows: {', '.join(doubled)}", indexes.DUPLICATE_ROWS_HINT)


def _api_usage(database: Database) -> Iterator[CheckResult]:
    if not api_usage.exists(database):
        yield CheckResult(api_usage.COLLECTION, "does not exist, so there are no API calls to count")
        return
    index = api_usage.find_index(database)
    missing = f"no index starts with {api_usage.FIELD}: the day's API calls are not counted (run {api_usage.HINT})"
    yield CheckResult(api_usage.COLLECTION, f"counted with index {index}" if index else missing)


def _privileges(database: Database, needed: Mapping[str, tuple[str, ...]]) -> Iterator[CheckResult]:
    """Compare the privileges of the authenticated user with those needed; without access control all are granted."""
    with translated():
        status = database.command("connectionStatus", showPrivileges=True)["authInfo"]
    if not status["authenticatedUsers"]:
        yield CheckResult("privileges", "the server has no access control")
        return
    for name, actions in needed.items():
        missing = sorted(set(actions) - _granted(status["authenticatedUserPrivileges"], database.name, name))
        yield CheckResult(
            f"privileges on {name or 'the database'}",
            f"missing: {', '.join(missing)}" if missing else "complete",
            f"grant {', '.join(missing)} on {database.name}.{name} (deploy/mongodb)" if missing else "",
        )


def _granted(privileges: list[Document], database: str, collection: str) -> set[str]:
    allowed: set[str] = set()
    for privilege in privileges:
        resource = privilege["resource"]
        if resource.get("anyResource") or (
            resource.get("db") in (database, "") and resource.get("collection") in (collection, "")
        ):
            allowed.update(privilege["actions"])
    return allowed
