"""Messages to people: each one is sent by a short-lived child process, which alone loads the libraries for it.

The URL of the recipient is a secret: the child reads it from stdin, never from its arguments or environment.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from threading import Lock
from typing import Any

from daemon.delivery.channels.outcome import Outcome, OutcomeKind
from daemon.runtime.url_parts import without_url
from rules.messages.model import Message

SECONDS = 60
COMMAND = (sys.executable, "-I", "-m", "daemon.delivery.channels.send")
PASSED_VARIABLES = (
    *("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""Environment of the child; everything else, such as MONGODB_URI and CREDENTIALS_DIRECTORY, is not its concern."""


class Notifier:
    """Sends messages to the recipient with this URL, one at a time. `cancel` may be called from another thread."""

    def __init__(self, name: str, url: str, seconds: float = SECONDS) -> None:
        self._name = name
        self._url = url
        self._seconds = seconds
        self._lock = Lock()
        self._child: subprocess.Popen[str] | None = None

    def send(self, message: Message) -> Outcome:
        identity = hashlib.sha256(f"{self._name}/{message.key}".encode()).hexdigest()[:32]
        return self._run(
            {
                "action": "send",
                "url": self._url,
                "subject": message.subject,
                "text": message.text,
                "message_id": f"<{identity}@chatello-analytics>",
            }
        )

    def check(self) -> Outcome:
        """Check the URL without sending: a mail server is connected and logged in to, of others the URL is parsed."""
        return self._run({"action": "check", "url": self._url})

    def _run(self, request: Mapping[str, str]) -> Outcome:
        environment = {name: value for name, value in os.environ.items() if name in PASSED_VARIABLES}
        with subprocess.Popen(  # noqa: S603 - our own module
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        ) as child:
            with self._lock:
                self._child = child
            try:
                answer, _ = child.communicate(json.dumps(request), timeout=self._seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                return Outcome(OutcomeKind.FAILED, f"not sent within {self._seconds:g} s")
        return self._outcome(answer, child.returncode)

    def _outcome(self, answer: str, status: int) -> Outcome:
        try:
            fields: Any = json.loads(answer)
            problem = without_url(str(fields["problem"]), self._url)
            return Outcome(OutcomeKind(fields["kind"]), problem, answer=without_url(str(fields["answer"]), self._url))
        except (ValueError, KeyError, TypeError):
            return Outcome(OutcomeKind.FAILED, f"the sending process ended with status {status} and no result")

    def cancel(self) -> None:
        """Kill the child that is sending now; `send` returns a failure."""
        with self._lock:
            if self._child is not None:
                self._child.kill()

    def close(self) -> None:
        """Nothing is kept between two messages."""
