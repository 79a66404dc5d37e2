"""A server as in production: Debian with systemd, MongoDB with access control, and the daemon installed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daemon.demo.embedded_mongo import EmbeddedMongo, free_port, wait_for
from daemon.mongo.types import Database
from tests import access
from tests.system.machine import SOURCE, Machine, booted
from tests.system.test_process import get

NAME = "chatello-analytics"
DATABASE = "chatello_saas"
ETC = f"/etc/{NAME}"
INSTALLER = f"{SOURCE}/deploy/install.sh"
CONFIGURATION = """# edited by the owner
[http]
port = {port}
[mongodb]
timeout_seconds = 2
[stream]
await_seconds = 0.5
checkpoint_seconds = 1
[lease]
seconds = 2
"""


class Site:
    """The machine, an administrator's connection to the database, and the commands of an operator."""

    def __init__(self, machine: Machine, db: Database, mongo: EmbeddedMongo) -> None:
        self.machine = machine
        self.db = db
        self.mongo = mongo
        self.port = free_port()
        self.configuration = CONFIGURATION.format(port=self.port)

    def prepare(self) -> None:
        """Write the configuration and a file with the connection string, as before a first install."""
        self.machine.write(f"{ETC}/config.toml", self.configuration)
        self.machine.write("/root/uri", self.uri() + "\n", "600")

    def uri(self, password: str = "analytics") -> str:
        return access.uri_of(self.mongo, "analytics", password, DATABASE)

    def install(self, *options: str, **arguments: Any) -> str:
        return self.machine.run(INSTALLER, "--yes", *options, **arguments)

    def systemctl(self, *command: str, check: bool = True) -> str:
        return self.machine.run("systemctl", *command, NAME, check=check)

    def show(self, name: str) -> str:
        return self.systemctl("show", "--value", f"--property={name}").strip()

    def is_ready(self) -> bool:
        return get(self.port, "/readyz")[0] == 200 and self.show("ActiveState") == "active"

    def await_ready(self) -> None:
        wait_for(self.is_ready, "the service to be ready")

    def cursor(self) -> str:
        """Return the cursor of the journal's end."""
        return self.machine.run("journalctl", "--lines=0", "--show-cursor", "--quiet").partition("cursor: ")[2].strip()

    def journal(self, after: str, of: str = NAME, priority: int = 7) -> list[str]:
        """Return the messages of an identifier after a cursor, with this priority or a more urgent one."""
        self.machine.run("journalctl", "--sync")
        # filtered here: journalctl skips one entry too many when it filters after a cursor
        lines = self.machine.run("journalctl", "--output=json", "--quiet", f"--after-cursor={after}").splitlines()
        entries = [entry for entry in map(json.loads, lines) if entry.get("SYSLOG_IDENTIFIER") == of]
        return [str(entry["MESSAGE"]) for entry in entries if int(entry["PRIORITY"]) <= priority]

    def version(self) -> str:
        return self.machine.run("readlink", f"/opt/{NAME}/current").strip()


@contextmanager
def prepared(mongo: EmbeddedMongo) -> Iterator[Site]:
    with booted() as machine, access.database_with_role(mongo, DATABASE) as db:
        site = Site(machine, db, mongo)
        site.prepare()
        yield site
