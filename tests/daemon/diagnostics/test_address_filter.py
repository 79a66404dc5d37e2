"""The unit's address filter: which targets it forbids. tests/system/test_systemd.py reads that of a real systemd."""

import socket
from ipaddress import ip_network
from pathlib import Path
from typing import NoReturn

import pytest

from daemon.config.schema import Config
from daemon.diagnostics import address_filter
from daemon.diagnostics.address_filter import AddressFilter
from tests.daemon.config.test_targets import SECRET

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))
LOCALHOST = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
LOCAL_ONLY = AddressFilter(EVERYTHING, LOCALHOST)


def webhook(url: str) -> Config:
    return Config.model_validate({"webhooks": {"n8n": {"url": url, "secret": SECRET}}})


def person(url: str) -> Config:
    return Config.model_validate({"notify": {"owner": {"secret": url}}})


@pytest.mark.parametrize(
    "config",
    [
        webhook("https://203.0.113.7/hook"),
        webhook("http://10.1.2.3/hook"),
        webhook("https://[2001:db8::7]/hook"),
        person("mailtos://u:p@198.51.100.1?to=a@b.it"),
        person("tgram://123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5/42"),
        person("ntfys://localhost.example/topic"),
    ],
)
def test_a_target_outside_the_filter_is_forbidden(config: Config) -> None:
    assert list(address_filter.forbidden(config, LOCAL_ONLY)) in (["n8n"], ["owner"])
    assert list(address_filter.forbidden(config, AddressFilter(EVERYTHING, (*LOCALHOST, *EVERYTHING)))) == []
    assert list(address_filter.forbidden(config, AddressFilter())) == []


@pytest.mark.parametrize(
    "config",
    [
        webhook("http://localhost:5678/hook"),
        webhook("https://127.0.0.1/hook"),
        webhook("https://[::1]/hook"),
        webhook("https://does-not-exist.invalid/hook"),
        person("mailto://localhost?to=a@b.it&from=c@b.it"),
        person("json://127.0.0.1:8080/x"),
        person("ntfy://localhost/topic"),
    ],
)
def test_a_target_on_this_machine_is_allowed(config: Config) -> None:
    """The check of the target itself reports a host that cannot be resolved."""
    assert list(address_filter.forbidden(config, LOCAL_ONLY)) == []


def test_the_address_of_a_service_is_not_known_once_a_network_is_allowed() -> None:
    telegram = AddressFilter(EVERYTHING, (*LOCALHOST, ip_network("149.154.160.0/20")))

    assert list(address_filter.forbidden(person("tgram://123456789:AAHdqTcvCH1vGWJxfSe/42"), telegram)) == []


def test_a_token_in_the_place_of_a_host_is_never_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: None) -> NoReturn:
        raise AssertionError(f"{host} was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    assert list(address_filter.forbidden(person("discord://canary/token"), LOCAL_ONLY)) == ["owner"]


@pytest.mark.parametrize(
    ("file", "unit"),
    [
        ("/etc/chatello-analytics/config.toml", "chatello-analytics.service"),
        ("/etc/chatello-analytics/secondo/config.toml", "chatello-analytics@secondo.service"),
    ],
)
def test_the_unit_is_that_of_the_configuration(file: str, unit: str) -> None:
    assert address_filter.unit_of(Path(file)) == unit


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("IPAddressAllow=127.0.0.0/8 ::1/128\nIPAddressDeny=0.0.0.0/0 ::/0\n", LOCAL_ONLY),
        ("IPAddressAllow=\nIPAddressDeny=\n", AddressFilter()),
        ("", AddressFilter()),
    ],
)
def test_the_filter_is_read_from_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str, expected: AddressFilter
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{shown}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert address_filter.read("chatello-analytics.service") == expected


def test_without_systemd_nothing_is_forbidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert address_filter.read("chatello-analytics.service") == AddressFilter()
