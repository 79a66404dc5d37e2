"""Configuration of targets: names, types, URLs, quiet hours, and the files of their secrets."""

import base64
from datetime import time
from pathlib import Path

import pytest

from daemon.config import target_secrets
from daemon.config.addresses import is_private
from daemon.config.loader import load
from daemon.config.schema import Config
from daemon.errors import ConfigurationError
from daemon.runtime import logs
from rules.messages.timing import QuietHours

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
CANARY = "canary-AAHdqTcvCH1vGWJxfSeofSAs0K5"
EXAMPLE = """
[webhooks.n8n]
url = "https://n8n.example.it/webhook/chatello"
only = ["new_customer", "license_cancelled", "payment_failed", "day.closed", "day.amended"]
names = false
[notify.telegram]
now = ["new_customer", "interruption", "approval"]
morning = ["day", "week", "month", "correction"]
quiet = "22:00-07:00"
silent_days = false
[delivery]
keep_days = 30
heartbeat_url = ""
"""


def loaded(tmp_path: Path, text: str, **environ: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load(file, environ)


def write(file: Path, text: str, mode: int = 0o600) -> None:
    file.parent.mkdir(exist_ok=True)
    file.touch()
    file.chmod(mode)
    file.write_text(text)


def test_the_example_of_the_design_is_valid(tmp_path: Path) -> None:
    config = loaded(tmp_path, EXAMPLE)

    assert config.webhooks["n8n"].only[-1] == "day.amended"
    assert config.notify["telegram"].quiet == QuietHours(time(22), time(7))
    assert config.delivery.keep_days == 30
    assert (Config().webhooks, Config().notify) == ({}, {})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[webhooks.N8N]\nurl = "https://x"', "webhooks.N8N: the name of a target must be 1 to 32 characters"),
        (f'[webhooks.{"a" * 33}]\nurl = "https://x"', "must be 1 to 32 characters"),
        ("[notify.a_b]", "notify.a_b: the name of a target"),
        ('[notify."../x"]', "the name of a target"),
        ('[notify.a]\n[webhooks.a]\nurl = "https://x"', "notify.a: the name is also used in [webhooks.a]"),
        ("[webhooks.a]", "webhooks.a.url: Field required"),
        ('[webhooks.a]\nurl = ""', "webhooks.a.url: Value should have at least 1 item"),
        ('[webhooks.a]\nurl = "ftp://host/x"', "webhooks.a.url: must be a URL such as https://host.example/path"),
        ('[webhooks.a]\nurl = "https://host:99999/x"', "webhooks.a.url: must be a URL such as"),
        ('[webhooks.a]\nurl = "https://[::1/x"', "webhooks.a.url: must be a URL such as"),
        ('[webhooks.a]\nurl = "https:///x"', "webhooks.a.url: must be a URL such as"),
        ('[webhooks.a]\nurl = "https://host/a b"', "in ASCII and without spaces"),
        ('[webhooks.a]\nurl = "https://hòst/x"', "in ASCII and without spaces"),
        ('[webhooks.a]\nurl = "https://u:canary@host/x"', "must contain neither a login"),
        ('[webhooks.a]\nurl = "https://host/x#canary"', "must contain neither a login"),
        ('[webhooks.a]\nurl = "http://93.184.216.34/x"', "must begin with https://; http:// is accepted only for"),
        ('[webhooks.a]\nurl = "http://[::ffff:8.8.8.8]/x"', "must begin with https://"),
        ('[webhooks.a]\nurl = "https://x"\nonly = ["new_custmer"]', "'new_custmer' is not a known type; did you mean"),
        ('[webhooks.a]\nurl = "https://x"\nonly = ["interruption"]', "webhooks.a.only: 'interruption' is not a known"),
        ('[notify.a]\nnow = ["day.closed"]', "notify.a.now: 'day.closed' is not a known type"),
        ('[notify.a]\nmorning = ["new_customer"]', "notify.a.morning: 'new_customer' is not a known type"),
        ('[notify.a]\nmorning = ["weeks"]', "did you mean 'week'"),
        ('[notify.a]\nquiet = "22:00"', 'notify.a.quiet: must be a range of times of day such as "22:00-07:00"'),
        ('[notify.a]\nquiet = "25:00-07:00"', "got '25:00-07:00'"),
        ('[notify.a]\nquiet = "07:00-07:00"', "two different times"),
        ('[notify.a]\nquiet = "22:00+01:00-07:00"', "notify.a.quiet: must be a range"),
        ("[notify.a]\nquiet = 22", "notify.a.quiet: must be a range"),
        ("[delivery]\nkeep_days = 0", "delivery.keep_days: Input should be greater than or equal to 1, got 0"),
        ('[delivery]\nheartbeat_url = "http://8.8.8.8"', "delivery.heartbeat_url: must begin with https://"),
    ],
)
def test_an_invalid_target_is_an_error_with_key_and_expectation(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        loaded(tmp_path, text)

    assert sentence in str(raised.value)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        f'webhooks = "{CANARY}"',
        f'[notify]\ntelegram = "tgram://{CANARY}"',
        f'[notify.telegram]\nurl = "tgram://{CANARY}"',
        f'[notify.telegram]\nsecret = "tgram://{CANARY}"',
        f'[notify.telegram]\nnow = "tgram://{CANARY}"',
        f'[notify.telegram]\nmorning = ["tgram://{CANARY}"]',
        f'[notify.telegram]\nquiet = "{CANARY}"',
        f'[notify.telegram]\nsilent_days = "{CANARY}"',
        f'[webhooks.n8n]\nurl = "tgram://{CANARY}"',
        f'[webhooks.n8n]\nurl = "https://x"\nonly = ["{CANARY}"]',
        f'[delivery]\nheartbeat_url = "htps://hc.example/{CANARY}"',
        f'[delivery]\nkeep_days = "{CANARY}"',
    ],
)
def test_a_secret_in_the_wrong_setting_is_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        loaded(tmp_path, text)

    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://localhost:5678/x", "http://10.1.2.3/x", "http://[fd00::1]/x", "http://n8n/x"])
def test_http_is_accepted_for_private_addresses_and_for_names_which_are_checked_later(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, f'[webhooks.a]\nurl = "{url}"').webhooks["a"].url.get_secret_value() == url


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *[(address, True) for address in ("127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "::1", "fe80::1%eth0")],
        *[(address, True) for address in ("fd00::1", "::ffff:127.0.0.1", "169.254.1.1")],
        *[(address, False) for address in ("8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8")],
    ],
)
def test_private_addresses_are_those_that_the_internet_does_not_reach(address: str, expected: bool) -> None:
    assert is_private(address) is expected


@pytest.mark.parametrize("place", ["credentials/target_n8n", "credentials/targets/n8n", "targets/n8n"])
def test_the_secret_is_read_from_its_file_and_never_shown(tmp_path: Path, place: str) -> None:
    (tmp_path / "credentials").mkdir()
    write(tmp_path / place, f"\ufeff{SECRET}\r\n{SECRET}\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")} if "credentials" in place else {}
    config = loaded(tmp_path, EXAMPLE, **environ)

    assert config.webhooks["n8n"].secrets == (SECRET, SECRET)
    assert SECRET not in repr(config) + str(config.model_dump())
    assert {SECRET, "https://n8n.example.it/webhook/chatello"} <= set(logs.secrets_of(config))
    assert [name for name, _hint in target_secrets.missing(config, tmp_path / "config.toml")] == ["telegram"]


def test_the_parts_of_a_recipients_url_are_removed_from_the_log(tmp_path: Path) -> None:
    write(tmp_path / "targets" / "telegram", f"tgram://{CANARY}/12345678901")
    redaction = logs.Redaction(logs.secrets_of(loaded(tmp_path, EXAMPLE)))

    assert redaction.text(f"POST /bot{CANARY}/send to 12345678901") == "POST /bot***/send to ***"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n8n", CANARY),
        ("n8n", f"whsec_{base64.b64encode(b'short').decode()}"),
        ("n8n", f"whsec_{CANARY}"),
        ("n8n", f"{SECRET}\n{SECRET}\n{SECRET}"),
        ("telegram", CANARY),
        ("telegram", f"tgram://{CANARY}\ntgram://{CANARY}"),
        ("telegram", f"tgram://{CANARY} tgram://x"),
    ],
)
def test_a_malformed_secret_is_an_error_that_does_not_show_it(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path / "targets" / name, text)
    with pytest.raises(ConfigurationError, match=rf"(webhooks|notify)\.{name}\.secret: must be one ") as raised:
        loaded(tmp_path, EXAMPLE)

    assert "canary" not in str(raised.value)
    assert text not in str(raised.value)


def test_a_world_readable_or_binary_secret_is_an_error_and_a_missing_one_only_for_those_who_need_it(
    tmp_path: Path,
) -> None:
    write(tmp_path / "targets" / "n8n", SECRET, 0o644)
    with pytest.raises(ConfigurationError, match="n8n is a secret and world-readable; run `chmod 600"):
        loaded(tmp_path, EXAMPLE)
    (tmp_path / "targets" / "n8n").write_bytes(b"canary\xff")
    (tmp_path / "targets" / "n8n").chmod(0o600)
    with pytest.raises(ConfigurationError, match="not UTF-8 text"):
        loaded(tmp_path, EXAMPLE)
    (tmp_path / "targets" / "n8n").unlink()
    config = loaded(tmp_path, EXAMPLE)

    with pytest.raises(ConfigurationError, match="target n8n: its secret is missing or not readable; write one or two"):
        target_secrets.require(config, tmp_path / "config.toml")


def test_a_changed_secret_or_target_needs_a_restart(tmp_path: Path) -> None:
    from daemon.config import reload

    before = loaded(tmp_path, EXAMPLE)
    write(tmp_path / "targets" / "n8n", SECRET)
    after = loaded(tmp_path, EXAMPLE.replace("names = false", "names = true"))

    assert reload.prepare(before, after).needing_restart == ["webhooks.n8n.names", "webhooks.n8n.secret"]
