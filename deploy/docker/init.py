"""Set up the MongoDB of compose.yml: replica set, administrator, role, user. Idempotent.

It runs in the network of mongod: before the first user exists, mongod allows creating one from localhost.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from daemon.demo.embedded_mongo import wait_for

SECRETS = Path("/run/secrets")
ADDRESS = "127.0.0.1:27017"
MEMBER = "mongo:27017"
TIMEOUT_SECONDS = 60
ALREADY_INITIALIZED, UNAUTHORIZED = 23, 13


def main() -> None:
    root = secret("mongodb-root-password")
    uri = parse_uri(secret("mongodb-uri"))
    initiate()
    create_administrator(root)
    with connected(username="root", password=root) as client:
        name = uri["options"]["authSource"]
        create_user(client[name], uri["username"], uri["password"])
    sys.stdout.write(f"replica set and user {uri['username']} of {name} are ready\n")


def secret(name: str) -> str:
    return (SECRETS / name).read_text().strip()


def connected(**login: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(ADDRESS, directConnection=True, serverSelectionTimeoutMS=TIMEOUT_SECONDS * 1000, **login)


def initiate() -> None:
    """Create the replica set if it does not exist, and wait until its member accepts writes."""
    with connected() as client:
        try:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": MEMBER}]})
        except OperationFailure as refused:
            if refused.code not in (ALREADY_INITIALIZED, UNAUTHORIZED):
                raise
        wait_for(
            lambda: client.admin.command("hello")["isWritablePrimary"], "MongoDB to accept writes", TIMEOUT_SECONDS
        )


def create_administrator(password: str) -> None:
    with connected() as client:
        try:
            client.admin.command("createUser", "root", pwd=password, roles=["root"])
        except OperationFailure as refused:
            if refused.code != UNAUTHORIZED:  # a user exists, so this needs a login
                raise


def create_user(database: Any, name: str, password: str) -> None:
    """Create or update the role of deploy/mongodb/role.json and one user with it."""
    role = json.loads(Path("/role.json").read_text())
    privileges = [
        {"resource": {"db": database.name, "collection": privilege["collection"]}, "actions": privilege["actions"]}
        for privilege in role["privileges"]
    ]
    verb = "update" if database.command("rolesInfo", role["role"])["roles"] else "create"
    database.command(f"{verb}Role", role["role"], privileges=privileges, roles=[])
    verb = "update" if database.command("usersInfo", name)["users"] else "create"
    database.command(f"{verb}User", name, pwd=password, roles=[role["role"]])


if __name__ == "__main__":
    main()
