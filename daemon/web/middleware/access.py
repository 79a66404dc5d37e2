"""Lets requests in or not, before a byte of their body is read; nothing behind it can forget to ask.

- The Host must be ours (DNS rebinding), and another site's page may link here but neither read nor post (CSRF).
- Reading is free on loopback, under a loopback name, without a proxy in between; else it needs the token.
- Whatever is not a reading method needs the token, always; without one configured, writing is off.
- The probes of health and readiness need no token: who is not near (`scope["near"]`) is told no reasons.
"""

import ipaddress
import math
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon import clock
from daemon.config.schema import Http, is_loopback
from daemon.runtime import logs
from daemon.web.errors import answer
from daemon.web.middleware.body_limits import READING
from daemon.web.middleware.token_auth import FailedAttempts, is_same, presented

OPEN = frozenset(("/healthz", "/readyz"))
FORWARDED = ("forwarded", "x-forwarded-", "x-real-ip", "via")
"""How the headers begin by which a proxy tells that it asks for somebody else."""
CHALLENGE = {"WWW-Authenticate": 'Basic realm="chatello-analytics", charset="UTF-8"'}
"""Browsers ask for name (any) and password (the token) themselves, on a page, a form and a fetch alike."""

log = logs.get("http")


class AccessControl:
    """Wraps the application behind it."""

    def __init__(self, app: ASGIApp, config: Http) -> None:
        self.app = app
        self.names = {name.lower() for name in (*config.hosts, config.host)}
        self.any_address = config.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
        self.is_loopback = is_loopback(config.host)
        self.token = config.token.get_secret_value()
        self.guesses = FailedAttempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refusal(scope) if scope["type"] == "http" else None
        await (refused or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = name_of(headers.get("host", ""))
        if not self._is_ours(host):
            sentence = "this name is not one of ours; [http] hosts takes further ones"
            return answer(HTTPStatus.MISDIRECTED_REQUEST, sentence)
        if is_foreign(scope["method"], headers):
            return answer(HTTPStatus.FORBIDDEN, "another site's page may not do this")
        scope["near"] = self._is_near(host, headers)
        if scope["method"] in READING:
            return None if scope["near"] or scope["path"] in OPEN else self._ask(scope, headers)
        if not self.token:
            return answer(HTTPStatus.FORBIDDEN, "writing is switched off: no http-token is configured (docs/api.md)")
        return self._ask(scope, headers)

    def _is_ours(self, host: str) -> bool:
        return host in self.names or is_loopback(host) or (self.any_address and _is_address(host))

    def _is_near(self, host: str, headers: Headers) -> bool:
        """Asked from this machine (or through an SSH tunnel), not by a proxy that asks for somebody else."""
        return self.is_loopback and is_loopback(host) and not any(name.startswith(FORWARDED) for name in headers)

    def _ask(self, scope: Scope, headers: Headers) -> Response | None:
        peer, now = peer_of(scope), clock.monotonic()
        wait = self.guesses.wait_seconds(peer, now)
        if wait:
            retry = {"Retry-After": str(math.ceil(wait))}
            return answer(HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens; wait a minute", retry)
        token = presented(headers.get("authorization"))
        if token is not None and self.token and is_same(token, self.token):
            return None
        if token is not None:
            self.guesses.missed(peer, token, now)
            log.warning("login.refused", peer=peer)
        return answer(HTTPStatus.UNAUTHORIZED, "this needs the token", CHALLENGE)


def name_of(host: str) -> str:
    """The name in a Host header, without port and brackets; "" if it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_foreign(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser says that another site's page is behind this; following a link is no harm.

    Browsers older than Sec-Fetch-Site send an Origin with what is posted; what is no browser sends neither.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        is_link = method in READING and headers.get("sec-fetch-mode") == "navigate"
        return site not in ("same-origin", "none") and not is_link
    origin = headers.get("origin")
    return origin is not None and urlsplit_netloc(origin) != headers.get("host", "").lower()


def urlsplit_netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def peer_of(scope: Scope) -> str:
    """Who knocks: an address; of IPv6 the network a single household gets."""
    host = (scope.get("client") or ("unknown", 0))[0]
    return ":".join(host.split(":")[:4]) if ":" in host else host
