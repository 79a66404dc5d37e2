"""Messages through Apprise in the child process: real services' formats against receivers on loopback."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from daemon import clock
from daemon.delivery.channels import notifier, send, services
from daemon.delivery.channels.notifier import Notifier
from daemon.delivery.channels.outcome import OutcomeKind
from daemon.runtime.url_parts import without_url
from rules.messages.model import Message

MESSAGE = Message(
    "now-5f0c-1", "Nuovo cliente: Nuñez 🎉", "🎉 Nuovo cliente: Nuñez\n🎫 Nuova licenza Pro: <b>Rossi</b>"
)
HOSTILE = (
    "@everyone <!channel> <@123> <script>x</script> [qui](https://evil.example) `code`\r\nX-Injected: 1\u202e\x1b[2J"
)
CANARY = "canary-AAHdqTcvCH1vGWJxfSeofSAs0K5"


def test_a_message_arrives_as_one_post_of_json(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/topic", method="POST").respond_with_data("ok")
    sent = Notifier("desk", f"json://127.0.0.1:{httpserver.port}/topic").send(MESSAGE)
    received = httpserver.log[0][0].get_json()

    assert sent.kind is OutcomeKind.DELIVERED
    assert received["title"] == MESSAGE.subject
    assert received["message"] == "🎉 Nuovo cliente: Nuñez\n🎫 Nuova licenza Pro: ‹b›Rossi‹/b›"
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("scheme", ["json", "xml", "form", "ntfy", "gotify", "mmost"])
def test_a_hostile_name_breaks_no_format(httpserver: HTTPServer, scheme: str) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_json({})
    login = {"gotify": "/AbCdEfGhIjKlMnO", "mmost": "/3ccdd113474722377935511fc85d3dd4"}
    url = f"{scheme}://127.0.0.1:{httpserver.port}{login.get(scheme, '/topic')}"
    Notifier("desk", url).send(Message("k", HOSTILE, HOSTILE))
    request, _ = httpserver.log[0]
    body = request.get_data(as_text=True) + json.dumps(request.form.to_dict(), ensure_ascii=False)

    for part in (
        "@everyone",
        "<!channel>",
        "<@123>",
        "<script>",
        "](https",
        "://evil",
        "evil.example",
        "\x1b",
        "\u202e",
    ):
        assert part not in body
    assert "X-Injected" not in request.headers
    assert "qui] (http" in body, "the message did arrive"


@pytest.mark.parametrize("status", [400, 401, 500, 503])
def test_a_refusal_is_a_failure_that_is_not_repeated_by_the_library(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/topic").respond_with_data(CANARY, status)
    sent = Notifier("desk", f"json://127.0.0.1:{httpserver.port}/topic?retry=3").send(MESSAGE)

    assert sent.kind is OutcomeKind.FAILED
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"json://user:{CANARY}@127.0.0.1:9/{CANARY}-path?+X-Token={CANARY}-header",
        f"ntfy://{CANARY}@127.0.0.1:9/{CANARY}-topic",
        f"nonsense://{CANARY}/x",
        f"mailto://user:{CANARY}@127.0.0.1:9?to={CANARY}@example.it&from=a@example.it",
        f"mailtos://user:{CANARY}@127.0.0.1:9?to={CANARY}",
        f"mailtos://user:p@ss/{CANARY}@127.0.0.1?to=a@example.it",
        f"tgram://{CANARY}/1",
        f"{CANARY}",
    ],
)
def test_no_part_of_the_url_is_in_the_outcome(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    desk = Notifier("desk", url)
    outcomes = [desk.check(), desk.send(MESSAGE)]

    assert outcomes[1].kind is OutcomeKind.FAILED
    assert outcomes[1].problem
    assert "canary" not in (repr(outcomes) + repr(desk) + "".join(capfd.readouterr())).lower()


def test_the_secret_is_in_no_argument_and_in_no_variable_of_the_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MONGODB_URI", f"mongodb://u:{CANARY}@host")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", f"/{CANARY}")
    shown = tmp_path / "process"
    program = (
        "import pathlib, sys; own = pathlib.Path('/proc/self');"
        f"pathlib.Path({str(shown)!r}).write_bytes((own/'cmdline').read_bytes() + (own/'environ').read_bytes());"
        "import runpy; runpy.run_module('daemon.delivery.channels.send', run_name='__main__')"
    )
    monkeypatch.setattr(notifier, "COMMAND", (sys.executable, "-I", "-c", program))
    Notifier("desk", f"json://127.0.0.1:9/{CANARY}").send(MESSAGE)

    assert b"daemon.delivery.channels.send" in shown.read_bytes()
    assert CANARY.encode() not in shown.read_bytes()


def test_a_child_that_hangs_is_killed() -> None:
    program = "import time; time.sleep(60)"
    begun = clock.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notifier, "COMMAND", (sys.executable, "-c", program))
        late = Notifier("desk", "json://127.0.0.1:9/x", seconds=0.5).send(MESSAGE)
        cancelled = Notifier("desk", "json://127.0.0.1:9/x")
        threading.Timer(0.5, cancelled.cancel).start()
        ended = cancelled.send(MESSAGE)

    assert late.problem == "not sent within 0.5 s"
    assert ended.problem == "the sending process ended with status -9 and no result"
    assert clock.monotonic() - begun < 10


@pytest.mark.parametrize("program", ["", "print('canary')", "raise SystemExit(3)", "print('{}')", "print('[1]')"])
def test_a_child_without_a_result_is_a_failure(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "COMMAND", (sys.executable, "-c", program))
    sent = Notifier("desk", "json://127.0.0.1:9/x").send(MESSAGE)

    assert sent.kind is OutcomeKind.FAILED
    assert "no result" in sent.problem
    assert "canary" not in sent.problem


def test_one_url_is_one_recipient() -> None:
    outcome = Notifier("desk", "tgram://123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/12345678/87654321").check()

    assert "several recipients" in outcome.problem


def test_the_library_is_loaded_by_the_child_only() -> None:
    program = "import sys, daemon.delivery.channels.notifier, daemon.delivery.channels.webhook; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert {"apprise", "requests", "smtplib"}.isdisjoint(loaded)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("POST http://host.example/bot123456:AbC/send failed", "tgram://123456:AbC@host.example/chat"),
        ("user Name%40Mail and name@mail", "mailtos://name%40mail:x@server.example"),
        ("HOST.EXAMPLE", "json://host.example"),
    ],
)
def test_every_part_of_a_url_is_removed_as_written_and_decoded(text: str, url: str) -> None:
    filtered = without_url(text, url).lower()

    for part in ("123456", "host.example", "name%40mail", "name@mail"):
        assert part not in filtered


@pytest.mark.parametrize(
    "link",
    ["https://evil.example/x", "t.me/truffa", "www.evil.it", "Evil.IT", "evil。com", "💩.la", "tg://x", "xn--e.рф"],
)
def test_a_name_is_no_link(link: str) -> None:
    found = send.without_links(f"🎉 Nuovo cliente: {link}")

    assert not re.search(r"://|[.\u3002\uff0e\uff61]\w{2}", found)
    assert len(found) == len(f"🎉 Nuovo cliente: {link}"), "a similar character stands for each"


@pytest.mark.parametrize(
    "name", ["Rossi S.r.l.", "Bianchi & C. s.a.s.", "€ 1.234,50", "A.B.C. Srl", "alle 12:30. Poi", "…"]
)
def test_a_name_with_dots_stays_as_it_is(name: str) -> None:
    assert send.without_links(name) == name


def test_inert_text_keeps_what_is_harmless() -> None:
    assert services.inert("📈 MRR € 217,70 (+7,99) • 50 % [Pro]") == "📈 MRR € 217,70 (+7,99) • 50 % [Pro]"


def test_a_message_that_is_too_long_for_a_service_is_cut_at_a_line(httpserver: HTTPServer) -> None:
    """Mattermost takes 4,000 characters and no title; a longer message would be refused at each attempt."""
    httpserver.expect_request(re.compile(".*")).respond_with_json({})
    lines = [f"✏️ Rettifica {number:03}: MRR € 10,00 → € 9,00" for number in range(200)]
    url = f"mmost://127.0.0.1:{httpserver.port}/3ccdd113474722377935511fc85d3dd4"
    sent = Notifier("desk", url).send(Message("k", "✏️ Rettifica di 200 giorni", "\n".join(lines)))
    text = httpserver.log[0][0].get_json()["text"]

    assert sent.kind is OutcomeKind.DELIVERED
    assert 3900 < len(text) <= 4000
    assert text.splitlines() == [*lines[: text.count("\n")], "…"]
