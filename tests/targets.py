"""Configuration files with targets of deliveries, and a mail server on loopback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from daemon.demo.embedded_mongo import free_port
from tests.daemon.config.test_targets import SECRET


def configure(folder: Path, secret: str = SECRET, **urls: str) -> Path:
    """Write a configuration with a target for each URL: a webhook for http://, else a person; return the file."""
    file = folder / "config.toml"
    (folder / "targets").mkdir(mode=0o700, exist_ok=True)
    lines = []
    for name, url in urls.items():
        is_webhook = url.startswith("http")
        lines.append(f'[webhooks.{name}]\nurl = "{url}"\n' if is_webhook else f'[notify.{name}]\nquiet = ""\n')
        write_secret(file, name, secret if is_webhook else url)
    file.write_text("".join(lines))
    return file


def write_secret(file: Path, name: str, text: str) -> None:
    """Write the secret of a target beside a configuration file."""
    secret = file.parent / "targets" / name
    secret.touch(mode=0o600)
    secret.write_text(text)


def unreachable(folder: Path) -> Path:
    """Write a configuration with a webhook on which no server listens."""
    return configure(folder, n8n=f"http://127.0.0.1:{free_port()}/hook")


class MailServer:
    """Receives mails at `url`, the secret of a person's target."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.before_answer: Callable[[], None] = lambda: None
        self.port = free_port()
        self.url = f"mailto://127.0.0.1:{self.port}?to=owner@shop.it&from=daemon@shop.it"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - the library's name
        assert isinstance(envelope.content, bytes)
        self.before_answer()
        self.mails.append(envelope.content)
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
