"""Webhooks: signed POST requests according to Standard Webhooks."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPMessage
from importlib.metadata import version

from standardwebhooks import Webhook as Signer

from daemon import clock
from daemon.delivery.channels.http_client import Answer, HttpClient, RequestFailed
from daemon.delivery.channels.outcome import Outcome, OutcomeKind
from rules.text import one_line

USER_AGENT = f"chatello-analytics/{version('chatello-analytics')}"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
REFUSED = frozenset((400, 413, 415, 422))
"""Statuses that concern one message; every other failure concerns the target."""
GONE = 410
SHOWN_ANSWER = 200


class WebhookSender:
    """Sends messages to one webhook, one at a time. With two secrets each request has two signatures."""

    def __init__(self, url: str, secrets: Sequence[str]) -> None:
        self._client = HttpClient(url)
        self._signers = [Signer(secret) for secret in secrets]

    def send(self, message_id: str, body: bytes) -> Outcome:
        try:
            answer = self._client.request("POST", self._headers(message_id, body, clock.now()), body)
        except RequestFailed as failed:
            return Outcome(OutcomeKind.FAILED, str(failed))
        return outcome(answer, clock.now())

    def _headers(self, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
        signatures = (signer.sign(message_id, at, body.decode()) for signer in self._signers)
        return {
            "Content-Type": CONTENT_TYPE,
            "User-Agent": USER_AGENT,
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    def cancel(self) -> None:
        """End a running request from another thread."""
        self._client.cancel()

    def close(self) -> None:
        self._client.close()


def outcome(answer: Answer, at: datetime) -> Outcome:
    """Return what an answer means for the message and its target."""
    shown = one_line(answer.body.decode("utf-8", "replace"), SHOWN_ANSWER)
    if answer.status in range(200, 300):
        return Outcome(OutcomeKind.DELIVERED, status=answer.status, answer=shown)
    kind = OutcomeKind.FAILED
    if answer.status == GONE:
        kind = OutcomeKind.GONE
    elif answer.status in REFUSED:
        kind = OutcomeKind.REFUSED
    return Outcome(kind, _problem(answer.status), answer.status, _retry_after(answer.headers, at), shown)


def _problem(status: int) -> str:
    known = {one.value: one.phrase for one in HTTPStatus}
    redirect = "; redirects are not followed: set url to the final address" if status in range(300, 400) else ""
    return f"HTTP {status} {known.get(status, '')}".strip() + redirect


def _retry_after(headers: HTTPMessage, at: datetime) -> float:
    """Return the seconds of Retry-After (a number or a date), 0 without a valid one."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0
    return max(0, (until.replace(tzinfo=until.tzinfo or UTC) - at).total_seconds())
