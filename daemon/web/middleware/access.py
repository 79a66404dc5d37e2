"""Access control for every request, before its body is read.

- The Host must be a known name (DNS rebinding). Pages of other sites may link here but not read or post (CSRF).
- Reading needs no token on loopback, under a loopback name, without a proxy, unless `token_for_reading` is set;
  otherwise it does.
- Methods other than GET, HEAD and OPTIONS always need the token; without a configured token writing is disabled.
- `/healthz` and `/readyz` need no token; they show reasons only to clients that may read without one
  (`scope["is_local"]`).
- A correct token is always accepted. Wrong ones are counted after they were compared, per address of the visitor.
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
from daemon.runtime.log_limit import LimitedLog
from daemon.web.errors import error_response
from daemon.web.middleware.body_limits import READ_METHODS
from daemon.web.middleware.token_auth import FailedAttempts, is_same_token, token_from_header

PUBLIC_PATHS = frozenset(("/healthz", "/readyz"))
PROXY_HEADERS = ("forwarded", "x-forwarded-", "x-real-ip", "via")
"""Prefixes of the headers a proxy adds to the requests it forwards."""
CHALLENGE = {"WWW-Authenticate": 'Basic realm="chatello-analytics", charset="UTF-8"'}
"""Makes browsers prompt for a name (any) and a password (the token), on a page, a form and a fetch alike."""
UNAUTHENTICATED = "authentication required: send the http-token as a bearer token or as the Basic password"
AMBIGUOUS = "a request must not have both Content-Length and Transfer-Encoding"
"""A proxy that reads such a request differently could forward a second one hidden in it (RFC 9112, 6.1)."""

log = LimitedLog(logs.get("http"))


class AccessControl:
    """Rejects requests that may not reach `app`."""

    def __init__(self, app: ASGIApp, config: Http) -> None:
        self.app = app
        self.host_names = {name.lower() for name in (*config.hosts, config.host)}
        self.any_address = config.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
        self.reads_without_token = is_loopback(config.host) and not config.token_for_reading
        self.token = config.token.get_secret_value()
        self.failed_attempts = FailedAttempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rejection = self._rejection(scope) if scope["type"] == "http" else None
        await (rejection or self.app)(scope, receive, send)

    def _rejection(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            return error_response(HTTPStatus.BAD_REQUEST, AMBIGUOUS, {"Connection": "close"})
        host = host_name(headers.get("host", ""))
        if not self._is_known_host(host):
            return error_response(HTTPStatus.MISDIRECTED_REQUEST, "unknown host name; add it to [http] hosts")
        if is_cross_site(scope["method"], headers):
            return error_response(HTTPStatus.FORBIDDEN, "cross-site requests are not allowed")
        scope["is_local"] = self._is_local(host, headers)
        if scope["method"] in READ_METHODS:
            return None if scope["is_local"] or scope["path"] in PUBLIC_PATHS else self._authenticate(scope, headers)
        if not self.token:
            return error_response(
                HTTPStatus.FORBIDDEN, "writing is disabled: no http-token is configured; see docs/api.md"
            )
        return self._authenticate(scope, headers)

    def _is_known_host(self, host: str) -> bool:
        return host in self.host_names or is_loopback(host) or (self.any_address and _is_address(host))

    def _is_local(self, host: str, headers: Headers) -> bool:
        """Whether the client is on this machine (or uses an SSH tunnel), is not a proxy, and may read without token."""
        is_forwarded = any(name.startswith(PROXY_HEADERS) for name in headers)
        return self.reads_without_token and is_loopback(host) and not is_forwarded

    def _authenticate(self, scope: Scope, headers: Headers) -> Response | None:
        token = token_from_header(headers.get("authorization"))
        if token is None:
            return error_response(HTTPStatus.UNAUTHORIZED, UNAUTHENTICATED, CHALLENGE)
        if self.token and is_same_token(token, self.token):
            return None
        return self._refuse(peer_key(scope), token)

    def _refuse(self, peer: str, token: str) -> Response:
        now = clock.monotonic()
        wait = self.failed_attempts.wait_seconds(peer, now)
        log.warning("login.refused", peer=peer)
        if wait:
            retry = {"Retry-After": str(math.ceil(wait))}
            return error_response(HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens; try again in a minute", retry)
        self.failed_attempts.record(peer, token, now)
        return error_response(HTTPStatus.UNAUTHORIZED, UNAUTHENTICATED, CHALLENGE)


def host_name(host: str) -> str:
    """Return the name in a Host header without port and brackets; "" if it is invalid."""
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


def is_cross_site(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser marks the request as coming from another site's page; following a link is allowed.

    Browsers without Sec-Fetch-Site send an Origin with a POST; clients other than browsers send neither.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        is_link = method in READ_METHODS and headers.get("sec-fetch-mode") == "navigate"
        return site not in ("same-origin", "none") and not is_link
    origin = headers.get("origin")
    return origin is not None and origin_host(origin) != headers.get("host", "").lower()


def origin_host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def peer_key(scope: Scope) -> str:
    """Return the client's IPv4 address, or its IPv6 /64 network, which is what one subscriber line gets."""
    host = (scope.get("client") or ("unknown", 0))[0]
    return ":".join(host.split(":")[:4]) if ":" in host else host
