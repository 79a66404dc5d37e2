"""Who may: the one token, as a bearer token or as the password of HTTP Basic, and what wrong guesses cost.

A guess counts once: a script that repeats its wrong token is refused each time and locks nobody out, while somebody
who tries one after the other is soon made to wait. Memory is bounded whatever knocks.
"""

import base64
import binascii
import hashlib
import hmac
import threading
from collections import OrderedDict, deque

GUESSES = 10
WINDOW_SECONDS = 60.0
PEERS = 1000


def presented(authorization: str | None) -> str | None:
    """The token in an Authorization header: of Bearer, or the password of Basic; None if it holds neither."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        return _password(value.strip())
    return None


def _password(encoded: str) -> str | None:
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded.partition(":")[2] or None


def is_same(token: str, wanted: str) -> bool:
    """Compared in a time that tells neither where they differ nor how long the wanted one is."""
    return hmac.compare_digest(_digest(token), _digest(wanted))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class FailedAttempts:
    """The wrong tokens of the last minute, by who presented them; digests, never tokens."""

    def __init__(self) -> None:
        self._by_peer: OrderedDict[str, deque[tuple[float, bytes]]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_seconds(self, peer: str, now: float) -> float:
        """How long `peer` has to wait before it may guess again; 0 when it may."""
        with self._lock:
            missed = self._by_peer.get(peer)
            if missed is None or len(missed) < GUESSES:
                return 0.0
            return max(0.0, missed[0][0] + WINDOW_SECONDS - now)

    def missed(self, peer: str, token: str, now: float) -> None:
        """`peer` presented a wrong token."""
        digest = _digest(token)
        with self._lock:
            missed = self._by_peer.setdefault(peer, deque(maxlen=GUESSES))
            if all(digest != known for _, known in missed):
                missed.append((now, digest))
            self._by_peer.move_to_end(peer)
            while len(self._by_peer) > PEERS:
                self._by_peer.popitem(last=False)
