"""The receiver in docs/delivery.md runs as printed and verifies what the daemon sends."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

from daemon.delivery.channels.outcome import Outcome, OutcomeKind
from daemon.delivery.channels.webhook import WebhookSender
from tests.daemon.config.test_targets import SECRET
from tests.shop import ROOT

BODY = b'{"id":"x1","type":"it.chatello.day.closed","subject":"day/2026-11-21","data":{"day":"2026-11-21"}}'


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def receiver(secret: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "delivery.md").read_text(), re.DOTALL)
    assert len([line for line in program.splitlines() if line]) <= 20
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environ = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            while not is_open(port):
                assert process.poll() is None
            yield port, process
        finally:
            process.kill()


def send(port: int, secret: str, message_id: str) -> Outcome:
    with closing(WebhookSender(f"http://127.0.0.1:{port}/", [secret])) as sender:
        return sender.send(message_id, BODY)


def test_the_documented_receiver_verifies_and_prints_each_message_once() -> None:
    with receiver(SECRET) as (port, process):
        sent = [send(port, SECRET, "x1") for _ in range(2)]
        forged = send(port, SECRET.replace("AAEC", "AAED"), "x2")
        process.kill()
        printed = process.stdout.read() if process.stdout else ""

    assert [one.kind for one in sent] == [OutcomeKind.DELIVERED] * 2
    assert forged.status == 401
    assert printed == "it.chatello.day.closed day/2026-11-21 {'day': '2026-11-21'}\n"
