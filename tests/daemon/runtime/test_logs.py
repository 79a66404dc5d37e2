"""The log: one line of JSON per fact whatever it holds, no secret in it, a file that stays small, all events listed."""

import ast
import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from daemon.config.rules import Section
from daemon.config.schema import Config, Logs
from daemon.errors import ConfigurationError
from daemon.runtime import logs
from daemon.runtime.logs import LogFile, Redaction

ROOT = Path(__file__).parents[3]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Logging set up by a test ends with it: its stream and its file are closed afterwards."""
    yield
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, LogFile):
            with suppress(OSError):  # /dev/full
                processor.handler.close()
    structlog.reset_defaults()


def test_a_log_line_is_one_line_of_json_whatever_a_name_holds(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Logs(format="json"))
    evil = 'x\n{"event": "forged"}\x1b[31m\u202e'
    logs.get("test").info("event.recorded", name=evil)
    out = capsys.readouterr().out

    assert out.count("\n") == 1
    assert json.loads(out)["name"] == evil
    assert "\x1b" not in out and "\u202e" not in out


READABLE = "Caffè € 🎉 ≤ 漢字"
HIDDEN = "\x1b\x7f\x85\x9b\u00ad\u061c\u200b\u200e\u2028\u2029\u202e\u2066\ufeff\ud800\U000e0041"


def test_visible_characters_stay_readable_and_all_others_are_escaped(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs.set_up(Logs(format="json", file=str(tmp_path / "log")))
    logs.get("test").info("event.recorded", name=READABLE + HIDDEN)
    out = capsys.readouterr().out

    assert READABLE in out
    assert not set(out) & set(HIDDEN)
    assert json.loads(out)["name"] == READABLE + HIDDEN
    assert (tmp_path / "log").read_text(encoding="utf-8") == out


def test_a_stream_that_is_not_unicode_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="latin-1", write_through=True))
    logs.set_up(Logs(format="json"))
    logs.get("test").info("event.recorded", name=READABLE)

    assert json.loads(written.getvalue().decode("ascii"))["name"] == READABLE


def test_on_a_terminal_a_name_cannot_move_the_cursor_either(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Logs(format="pretty"))
    logs.get("test").info("event.recorded", name="x\n\x1b[2J\u202eforged")
    out = capsys.readouterr().out

    assert out.count("\n") == 1
    assert "\x1b[2J" not in out and "\u202e" not in out


class Tokens(Section):
    token: SecretStr = SecretStr("canary-token")


class WithTokens(Config):
    tokens: Tokens = Tokens()


SAID = (
    "refused: mongodb+srv://u:canary-pass@h/db",  # a login that is not configured
    "refused: mongodb://u:unescaped@canary/pass@h/db",
    "password canary pass or canary%20pass",  # the configured one, as it is and as it stands in the URI
    "curl -H 'X-Token: canary-token'",
    "Authorization: Bearer canary.bearer",
    "Nuovo cliente: mario.canary@shop.it",
)


@pytest.mark.parametrize("style", ["json", "pretty"])
@pytest.mark.parametrize("said", SAID)
def test_nothing_secret_shows_wherever_it_sits(
    said: str, style: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    uri = SecretStr("mongodb://user:canary%20pass@host:27017,other:27018/?replicaSet=rs0")
    config = WithTokens.model_validate({"mongodb": {"uri": uri}})
    logs.set_up(Logs(format=style, file=str(tmp_path / "log")), logs.secrets_of(config))
    log = logs.get("test")
    log.info("thing.happened", plain=said, deep={"a": [(said, {"b": {said}})], said: 1}, other=ValueError(said))
    try:
        _break(said)
    except ValueError:
        log.exception("thing.broke")
    written = capsys.readouterr().out + (tmp_path / "log").read_text()

    assert written.count("thing.") == 4
    assert written.count("***") >= 12
    assert "canary" not in written


def _break(text: str) -> None:
    raise ValueError(text)


def test_what_is_no_secret_stays_readable() -> None:
    redact = Redaction(["abc"]).text

    for text in ("abc", "Nuovo cliente: TechCorp, via @techcorp", "€7.99 @ 3", "mongodb://127.0.0.1:27017/shop"):
        assert redact(text) == text
    assert redact("Nuovo cliente: mario.rossi+x@shop.it!") == "Nuovo cliente: ***@***"


def test_warnings_carry_their_priority_for_journald(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    logs.set_up(Logs(format="json"))
    logs.get("test").info("a.done")
    logs.get("test").error("b.failed")

    assert [line[:4] for line in capsys.readouterr().out.splitlines()] == ["<6>{", "<3>{"]


def test_the_file_holds_json_and_is_renamed_when_it_is_full(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "daemon.log"
    logs.set_up(Logs(format="pretty", file=str(file), file_megabytes=1, file_count=2))
    for number in range(35):
        logs.get("test").info("thing.happened", number=number, text="x" * 100_000)

    assert sorted(one.name for one in tmp_path.iterdir()) == ["daemon.log", "daemon.log.1", "daemon.log.2"]
    assert all(one.stat().st_size <= 1_000_000 for one in tmp_path.iterdir())
    assert json.loads(file.read_text().splitlines()[-1])["number"] == 34
    assert capsys.readouterr().out.count("thing.happened") == 35


def test_a_file_that_cannot_be_written_is_told_at_the_start_and_later_on_every_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"logs\.file: cannot write .*No such file or directory"):
        logs.set_up(Logs(file=str(tmp_path / "missing" / "log")))
    full = Path("/dev/full")
    logs.set_up(Logs(format="json", file=str(full)))
    logs.get("test").info("thing.happened")

    told = json.loads(capsys.readouterr().out)
    assert told["event"] == "thing.happened"
    assert "No space left" in told["log_file_problem"]


def logged() -> Iterator[tuple[str, str]]:
    """Event and level of every log line in the code."""
    for file in (ROOT / "daemon").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(ast.Attribute(ast.Name("log"), level), [ast.Constant(str(event)), *_]) if level in LEVELS:
                    yield event, level
                case ast.Call(ast.Attribute(ast.Name("log"), level)) if level in LEVELS:
                    pytest.fail(f"{file.name}:{node.lineno}: an event is named plainly")


def test_every_event_is_listed_with_its_level_and_nothing_else_is() -> None:
    listed = re.findall(r"^\| `([\w.]+)` \| (\w+) \|", (ROOT / "docs" / "logs.md").read_text(), re.MULTILINE)

    assert set(listed) == set(logged())
    assert len(listed) == len(set(listed))
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", event) for event, _level in listed)
