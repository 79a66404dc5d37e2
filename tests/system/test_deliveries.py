"""A real daemon process with targets: the `deliveries` commands beside it, its metrics, and its memory."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from daemon.demo.embedded_mongo import free_port, wait_for
from daemon.mongo.types import Database
from tests import shop, targets
from tests.mongo.delivery.conftest import SECRET, Receiver
from tests.system.test_process import get, ready, run_once
from tests.targets import MailServer

STATE = "chatello_analytics_delivery_state"
MEGABYTE = 1_000_000
IDLE_MEMORY = 100 * MEGABYTE
CANARIES = ("Tok3nCanary71", "us3r-canary-72", "passw0rd-canary-73", "mail-canary-74")
SECRETS = (*CANARIES, SECRET.removeprefix("whsec_"))


@pytest.fixture
def receiver(httpserver: HTTPServer) -> Receiver:
    return Receiver(httpserver)


@pytest.fixture
def mailbox() -> Iterator[MailServer]:
    with targets.mail_server() as server:
        yield server


@pytest.fixture
def file(tmp_path: Path, receiver: Receiver, mailbox: MailServer) -> Path:
    """A configuration with a webhook and a mail address."""
    return targets.configure(tmp_path, SECRET, n8n=receiver.url, owner=mailbox.url)


def value(port: int, metric: str) -> float:
    (found,) = re.findall(rf"^{re.escape(metric)} (\S+)$", get(port, "/metrics")[1], re.MULTILINE)
    return float(found)


def new_customers(receiver: Receiver) -> int:
    return sum(1 for body in receiver.bodies if body["data"].get("event_type") == "new_customer")


def test_the_commands_control_a_running_daemon(
    mongo_uri: str, database: Database, file: Path, receiver: Receiver
) -> None:
    def deliveries(*arguments: str) -> tuple[int, str]:
        environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}
        return run_once("deliveries", *arguments, "--config", str(file), **environment)

    shop.plans(database)
    with shop.process(mongo_uri, database.name, ("--config", str(file))) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        wait_for(lambda: database.analytics_targets.count_documents({}) == 2, "the targets to begin")
        shop.customer(database, "Ada")
        wait_for(lambda: new_customers(receiver) == 1, "the first customer")
        assert deliveries("pause", "n8n")[0] == 0
        shop.customer(database, "Bea")
        wait_for(lambda: value(daemon.port, f'{STATE}{{state="paused",target="n8n"}}') == 1, "the pause")
        wait_for(lambda: value(daemon.port, 'chatello_analytics_delivery_waiting{target="n8n"}') >= 1, "it to wait")
        assert value(daemon.port, 'chatello_analytics_delivery_oldest_timestamp_seconds{target="n8n"}') > 0
        listed = deliveries("list")[1]
        assert re.search("^n8n: paused, [12] commits wait since ", listed), listed  # some dates have an event, too
        assert new_customers(receiver) == 1
        deliveries("resume", "n8n")
        shop.customer(database, "Cleo")
        wait_for(lambda: new_customers(receiver) == 3, "the customers of the meantime")
        assert value(daemon.port, f'{STATE}{{state="active",target="n8n"}}') == 1
        assert daemon.stop() == 0


def test_a_daemon_with_targets_stays_below_100_megabytes_and_shows_no_secret(
    mongo_uri: str, database: Database, tmp_path: Path, receiver: Receiver, mailbox: MailServer
) -> None:
    """Messages are sent by a child process, whose libraries the daemon never loads."""
    file = configured_with_secrets(tmp_path, receiver, mailbox)
    shop.plans(database)
    with shop.process(mongo_uri, database.name, ("--config", str(file))) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        wait_for(lambda: database.analytics_targets.count_documents({}) == 4, "the targets to begin")
        assert daemon.process is not None
        pid = daemon.process.pid
        children = list[str]()
        mailbox.before_answer = lambda: children.extend(process_text(child) for child in children_of(pid))
        for number in range(20):
            shop.customer(database, f"C{number}")
        wait_for(lambda: new_customers(receiver) == 20 and bool(mailbox.mails), "the messages", 60)
        wait_for(lambda: failing(database) == {"broken", "nobody"}, "the other targets to fail", 60)
        wait_for(lambda: not children_of(pid), "the children to end")
        resident = value(daemon.port, "process_resident_memory_bytes")
        shown = process_text(pid) + everything_shown(daemon.port, mongo_uri, database, file)
        daemon.stop()

    assert "daemon.delivery.channels.send" in "".join(children)
    assert "delivery.state" in "".join(daemon.lines)
    assert "nobody" in shown
    for secret in SECRETS:
        assert secret not in "".join((*children, *daemon.lines, shown))
    print(f"resident: {resident / MEGABYTE:.0f} MB")
    assert resident < IDLE_MEMORY


def configured_with_secrets(folder: Path, receiver: Receiver, mailbox: MailServer) -> Path:
    """Write a configuration of four targets, two of which fail, with a secret in each place of an address."""
    token, user, password, mail = CANARIES
    closed = free_port()
    return targets.configure(
        folder,
        SECRET,
        n8n=f"{receiver.url}?token={token}",
        broken=f"http://127.0.0.1:{closed}/{token}",
        owner=mailbox.url.replace("owner@", f"{mail}@"),
        nobody=f"json://{user}:{password}@127.0.0.1:{closed}/{token}",
    )


def children_of(pid: int) -> list[int]:
    """Return the children of a process: the kernel lists them by the thread that started them."""
    found = list[int]()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found += map(int, file.read_text().split())
    return found


def process_text(pid: int) -> str:
    """Return the arguments and the environment of a process; "" if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return "".join(Path(f"/proc/{pid}/{name}").read_text() for name in ("cmdline", "environ"))
    return ""


def failing(database: Database) -> set[str]:
    return {target["_id"] for target in database.analytics_targets.find({"state": "failing"})}


def everything_shown(port: int, uri: str, database: Database, file: Path) -> str:
    """Return what pages, metrics, commands and our collections show."""
    environment = {"MONGODB_URI": uri, "MONGODB_DATABASE": database.name}
    commands = [("deliveries",), ("deliveries", "show", "broken"), ("deliveries", "test", "nobody"), ("check",)]
    outputs = [run_once(*command, "--config", str(file), **environment)[1] for command in commands]
    pages = [get(port, path)[1] for path in ("/metrics", "/healthz", "/readyz", "/analytics", "/openapi.json")]
    names = [name for name in database.list_collection_names() if name.startswith("analytics_")]
    stored = [str(document) for name in names for document in database[name].find()]
    assert all((*outputs, *pages))
    return "".join((*outputs, *pages, *stored))
