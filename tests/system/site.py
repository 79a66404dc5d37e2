"""A server as the owner has it: Debian with a real systemd, MongoDB with access control, and the daemon installed."""

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
CONFIGURATION = """# the owner's own
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
    """The machine, the shop's database in an administrator's hands, and what a person would ask of them."""

    def __init__(self, machine: Machine, db: Database, mongo: EmbeddedMongo) -> None:
        self.machine = machine
        self.db = db
        self.mongo = mongo
        self.port = free_port()
        self.configuration = CONFIGURATION.format(port=self.port)

    def prepare(self) -> None:
        """What is there before the first install: the owner's configuration, and a file with the connection string."""
        self.machine.write(f"{ETC}/config.toml", self.configuration)
        self.machine.write("/root/uri", self.uri() + "\n", "600")

    def uri(self, password: str = "analytics") -> str:
        return access.uri_of(self.mongo, "analytics", password, DATABASE)

    def install(self, *options: str, **how: Any) -> str:
        return self.machine.run(INSTALLER, "--yes", *options, **how)

    def systemctl(self, *command: str, check: bool = True) -> str:
        return self.machine.run("systemctl", *command, NAME, check=check)

    def show(self, name: str) -> str:
        return self.systemctl("show", "--value", f"--property={name}").strip()

    def is_ready(self) -> bool:
        return get(self.port, "/readyz")[0] == 200 and self.show("ActiveState") == "active"

    def await_ready(self) -> None:
        wait_for(self.is_ready, "the service to be ready")

    def cursor(self) -> str:
        """Where the journal ends now."""
        return self.machine.run("journalctl", "--lines=0", "--show-cursor", "--quiet").partition("cursor: ")[2].strip()

    def journal(self, after: str, of: str = NAME, priority: int = 7) -> list[str]:
        """What the daemon, or another one, wrote after a cursor, as important as `priority` or more."""
        self.machine.run("journalctl", "--sync")
        # journalctl itself would pass over one entry more where it filters after a cursor
        lines = self.machine.run("journalctl", "--output=json", "--quiet", f"--after-cursor={after}").splitlines()
        entries = [entry for entry in map(json.loads, lines) if entry.get("SYSLOG_IDENTIFIER") == of]
        return [str(entry["MESSAGE"]) for entry in entries if int(entry["PRIORITY"]) <= priority]

    def version(self) -> str:
        return self.machine.run("readlink", f"/opt/{NAME}/current").strip()


@contextmanager
def prepared(mongo: EmbeddedMongo) -> Iterator[Site]:
    with booted() as machine, access.granted(mongo, DATABASE) as db:
        site = Site(machine, db, mongo)
        site.prepare()
        yield site
