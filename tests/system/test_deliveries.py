"""A real daemon process with targets: the `deliveries` commands beside it, its metrics, and its memory."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from tests import shop, targets
from tests.mongo.delivery.conftest import SECRET, Receiver
from tests.system.test_process import get, ready, run_once
from tests.targets import MailServer

STATE = "chatello_analytics_delivery_state"
MEGABYTE = 1_000_000
IDLE_MEMORY = 100 * MEGABYTE


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
        wait_for(lambda: value(daemon.port, 'chatello_analytics_delivery_waiting{target="n8n"}') == 1, "it to wait")
        assert value(daemon.port, 'chatello_analytics_delivery_oldest_timestamp_seconds{target="n8n"}') > 0
        assert "n8n: paused, 1 commits wait since " in deliveries("list")[1]
        assert new_customers(receiver) == 1
        deliveries("resume", "n8n")
        shop.customer(database, "Cleo")
        wait_for(lambda: new_customers(receiver) == 3, "the customers of the meantime")
        assert value(daemon.port, f'{STATE}{{state="active",target="n8n"}}') == 1
        assert daemon.stop() == 0


def test_the_memory_stays_below_100_megabytes_with_a_webhook_and_a_mail_target(
    mongo_uri: str, database: Database, file: Path, receiver: Receiver, mailbox: MailServer
) -> None:
    """Mails are sent by a child process, whose libraries the daemon never loads."""
    shop.plans(database)
    with shop.process(mongo_uri, database.name, ("--config", str(file))) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        wait_for(lambda: database.analytics_targets.count_documents({}) == 2, "the targets to begin")
        for number in range(20):
            shop.customer(database, f"C{number}")
        wait_for(lambda: new_customers(receiver) == 20 and bool(mailbox.mails), "the messages", 60)
        assert daemon.process is not None
        pid = daemon.process.pid
        wait_for(lambda: not Path(f"/proc/{pid}/task/{pid}/children").read_text(), "the child to end")
        resident = value(daemon.port, "process_resident_memory_bytes")

    print(f"resident: {resident / MEGABYTE:.0f} MB")
    assert resident < IDLE_MEMORY
