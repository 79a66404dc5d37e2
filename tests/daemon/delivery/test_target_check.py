"""Checks of targets: secrets and connections, without sending."""

import socket
import ssl
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from daemon.config.loader import load
from daemon.delivery.target_check import check_targets
from daemon.runtime.check_result import CheckResult
from tests.daemon.config.test_targets import SECRET
from tests.daemon.delivery.conftest import raw_server
from tests.targets import write_secret


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "targets").mkdir(mode=0o700)
    return tmp_path / "config.toml"


def checked(file: Path, text: str) -> list[CheckResult]:
    file.write_text(text)
    return list(check_targets(load(file, {}), file))


def test_a_missing_secret_is_found_with_the_file_to_write(file: Path) -> None:
    found = checked(file, '[webhooks.n8n]\nurl = "https://n8n.example.it/hook"\n[notify.telegram]\n')

    assert [one.subject for one in found] == ["target n8n", "target telegram"]
    assert all(one.found == "its secret is missing or not readable" for one in found)
    assert str(file.parent / "targets" / "n8n") in found[0].hint
    assert "whsec_" in found[0].hint
    assert "URL of the recipient" in found[1].hint


def test_a_webhook_is_connected_to_without_a_request(file: Path, httpserver: HTTPServer) -> None:
    write_secret(file, "n8n", SECRET)
    (found,) = checked(file, f'[webhooks.n8n]\nurl = "{httpserver.url_for("/canary")}"')

    assert found == CheckResult("target n8n", "localhost is reached; to send a test message: deliveries test n8n")
    assert httpserver.log == []


def test_an_unreachable_or_untrusted_webhook_has_a_hint(file: Path, tls_server: ssl.SSLContext) -> None:
    write_secret(file, "n8n", SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (closed,) = checked(file, f'[webhooks.n8n]\nurl = "http://127.0.0.1:{port}/canary"')
    with raw_server(lambda connected: None, context=tls_server) as port:
        (untrusted,) = checked(file, f'[webhooks.n8n]\nurl = "https://localhost:{port}/canary"')

    assert closed.hint.startswith("127.0.0.1 refuses the connection")
    assert untrusted.hint.startswith("the TLS certificate of localhost is not valid")


def test_a_service_is_not_tried_and_a_wrong_url_is_not_shown(file: Path) -> None:
    write_secret(file, "telegram", "tgram://123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/12345678")
    write_secret(file, "phone", "tgramm://canary-token/12345678")
    telegram, phone = checked(file, "[notify.telegram]\n[notify.phone]\n")

    assert telegram == CheckResult("target telegram", "Telegram: URL understood, not tried: deliveries test telegram")
    assert phone.hint.startswith("the URL is not understood")
    assert "canary" not in repr(phone)
