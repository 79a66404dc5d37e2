"""Token authentication: a bearer token or the password of HTTP Basic, with a limit on wrong attempts.

Each wrong token counts once per peer: a script that repeats one outdated token is rejected without blocking its
address, while trying different tokens is soon delayed. Memory is bounded.
"""

import base64
import binascii
import hashlib
import hmac
import threading
from collections import OrderedDict, deque

MAX_ATTEMPTS = 10
WINDOW_SECONDS = 60.0
MAX_PEERS = 1000


def token_from_header(authorization: str | None) -> str | None:
    """Return the token of an Authorization header: the Bearer token or the Basic password; None if neither."""
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


def is_same_token(token: str, expected: str) -> bool:
    """Compare in a time that reveals neither where they differ nor how long the expected token is."""
    return hmac.compare_digest(_digest(token), _digest(expected))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class FailedAttempts:
    """Digests of the wrong tokens of the last minute, by peer."""

    def __init__(self) -> None:
        self._by_peer: OrderedDict[str, deque[tuple[float, bytes]]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_seconds(self, peer: str, now: float) -> float:
        """Return how long `peer` has to wait before its next attempt; 0 if it need not."""
        with self._lock:
            attempts = self._by_peer.get(peer)
            if attempts is None or len(attempts) < MAX_ATTEMPTS:
                return 0.0
            return max(0.0, attempts[0][0] + WINDOW_SECONDS - now)

    def record(self, peer: str, token: str, now: float) -> None:
        """Record that `peer` sent a wrong token."""
        digest = _digest(token)
        with self._lock:
            attempts = self._by_peer.setdefault(peer, deque(maxlen=MAX_ATTEMPTS))
            if all(digest != known for _, known in attempts):
                attempts.append((now, digest))
            self._by_peer.move_to_end(peer)
            while len(self._by_peer) > MAX_PEERS:
                self._by_peer.popitem(last=False)
