"""Messages to the notification socket of systemd."""

import socket
from pathlib import Path

import pytest

from daemon.runtime.systemd import notify


def test_notify_sends_to_abstract_and_path_sockets_and_does_nothing_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert notify("READY=1") is False
    for address, shown in ((str(tmp_path / "s"), str(tmp_path / "s")), ("\0chatello-test", "@chatello-test")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(address)
            monkeypatch.setenv("NOTIFY_SOCKET", shown)
            assert notify("READY=1", "STATUS=x") is True
            assert server.recv(100) == b"READY=1\nSTATUS=x"
