"""Child process that sends one message: `python -m daemon.delivery.channels.send`, JSON on stdin and on stdout.

Everything that leaves this process has passed `without_url`: libraries put URLs with tokens into their errors.
"""

import json
import re
import signal
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Protocol

from daemon.delivery.channels.not_sent import NotSent
from daemon.delivery.channels.outcome import Outcome, OutcomeKind
from daemon.runtime.url_parts import without_url
from rules.text import one_line

SECONDS = 60
"""After this time the process ends itself, in case its parent does not."""
MAIL_SCHEMES = ("mailto", "mailtos")
MAX_SUBJECT, MAX_LINE, MAX_PROBLEM = 200, 1000, 300
_DOMAIN_DOT = re.compile(r"(?<=\S)[.\u3002\uff0e\uff61](?=[^\W\d_]{2})")
"""A dot before what could be a top-level domain, or another character that browsers read as one; none in S.r.l."""


class Channel(Protocol):
    """A module that reaches people; both functions return a remark or raise NotSent."""

    def send(self, url: str, subject: str, text: str, message_id: str, /) -> str: ...

    def check(self, url: str, /) -> str: ...


def _channel(url: str) -> Channel:
    if url.partition("://")[0].lower() in MAIL_SCHEMES:
        from daemon.delivery.channels import mail  # noqa: PLC0415 - loading Apprise takes a second, a mail does not need it

        return mail
    from daemon.delivery.channels import services  # noqa: PLC0415

    return services


def handle(request: Mapping[str, str]) -> Outcome:
    """Send or check as requested; every failure is an outcome."""
    url = request["url"]
    try:
        result = Outcome(OutcomeKind.DELIVERED, answer=_perform(request, _channel(url)))
    except NotSent as problem:
        result = Outcome(OutcomeKind.FAILED, str(problem))
    except Exception as error:  # noqa: BLE001 - of any library that may be loaded here
        result = Outcome(OutcomeKind.FAILED, f"{type(error).__name__}: {error}")
    return result._replace(problem=_shown(result.problem, url), answer=_shown(result.answer, url))


def _perform(request: Mapping[str, str], channel: Channel) -> str:
    if request["action"] == "check":
        return channel.check(request["url"])
    subject, text = one_line(request["subject"], MAX_SUBJECT), _lines(request["text"])
    return channel.send(request["url"], without_links(subject), without_links(text), request["message_id"])


def without_links(text: str) -> str:
    """Return text that no program shows as a link: it may contain a customer's name. It looks almost the same."""
    return _DOMAIN_DOT.sub("\u2024", text.replace("://", "\u2236//"))


def _lines(text: str) -> str:
    """Return the text with visible characters only; lines stay lines."""
    return "\n".join(one_line(line, MAX_LINE) for line in text.split("\n"))


def _shown(text: str, url: str) -> str:
    return one_line(without_url(text, url), MAX_PROBLEM)


def main() -> None:
    signal.alarm(SECONDS)
    output = sys.stdout
    with redirect_stdout(sys.stderr):  # a library that prints must not break the answer
        outcome = handle(json.load(sys.stdin))
    json.dump({"kind": outcome.kind, "problem": outcome.problem, "answer": outcome.answer}, output)


if __name__ == "__main__":
    main()
