"""Error responses: `{"success": false, "error": "MESSAGE"}` or, for people, a page. None repeats what was sent."""

from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from daemon.errors import ChatelloError
from daemon.runtime import logs
from daemon.runtime.health import Health
from daemon.runtime.log_limit import LimitedLog
from daemon.web.page import error_pages, error_texts
from daemon.web.page.error_pages import ErrorPage
from daemon.web.page.parts import status

RETRY_SECONDS = 5

MESSAGES: Mapping[int, str] = {
    HTTPStatus.NOT_FOUND: "not found; see /docs for the available endpoints",
    HTTPStatus.METHOD_NOT_ALLOWED: "method not allowed; see /docs for the methods of each endpoint",
    HTTPStatus.BAD_REQUEST: "the request is malformed",
}
"""Replace the framework's own messages."""

SEVERAL_TYPES = "must be one of several types; see /docs"

log = LimitedLog(logs.get("http"))


class RequestRejected(HTTPException):
    """A request that cannot be served. The message must not contain any part of the request."""


class ErrorResponse(JSONResponse):
    """An error response; whether as JSON or as a page is decided by the request that it answers."""

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, page: ErrorPage | None = None
    ) -> None:
        super().__init__({"success": False, "error": message}, status, headers)
        self.headers_of_error = headers
        self.page = page or ErrorPage(status, message)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if error_pages.is_for_a_person(scope):
            html = error_pages.render(self.status_code, self.page)
            await HTMLResponse(html, self.status_code, self.headers_of_error)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> ErrorResponse:
    return ErrorResponse(status, message, headers)


def install(app: FastAPI, health: Health) -> None:
    """Register the handlers that turn every error inside `app` into an error response."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _rejected)
    app.add_exception_handler(ChatelloError, partial(_unavailable, health))
    app.add_exception_handler(Exception, _failed)


def _rejected(_request: Request, rejected: Exception) -> ErrorResponse:
    assert isinstance(rejected, HTTPException)
    own = rejected.detail if isinstance(rejected, RequestRejected) else None
    message = own or MESSAGES.get(rejected.status_code) or HTTPStatus(rejected.status_code).phrase.lower()
    return error_response(rejected.status_code, message, _with_head(rejected.headers))


def _with_head(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """Add HEAD to `Allow: GET`: the middleware `HeadRequests` serves it, which the framework does not know."""
    return {
        name: f"{value}, HEAD" if (name, value) == ("Allow", "GET") else value
        for name, value in (headers or {}).items()
    }


def _invalid(_request: Request, invalid: Exception) -> ErrorResponse:
    assert isinstance(invalid, RequestValidationError)
    return error_response(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(_field_errors(invalid.errors())))


def _field_errors(errors: Any) -> Iterator[str]:
    """Yield `FIELD: PROBLEM` per field. Names of unknown fields and of keys in free-form objects are not repeated."""
    problems: dict[str, set[str]] = {}
    for error in errors:
        location, *path = error["loc"]
        if error["type"] == "extra_forbidden":
            problems.setdefault(location, set()).add("contains an unknown field")
        else:
            field = path[0] if path and isinstance(path[0], str) else location
            problems.setdefault(field, set()).add(_problem(error))
    for field, found in problems.items():
        yield f"{field}: {found.pop() if len(found) == 1 else SEVERAL_TYPES}"


def _problem(error: Mapping[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


def _unavailable(health: Health, request: Request, problem: Exception) -> ErrorResponse:
    route = _route(request)
    log.warning("request.unavailable", key=route, route=route, problem=str(problem))
    message = "the database is not responding; try again in a few seconds"
    situation = error_texts.SITUATION.format(role=status.role_text(health))
    page = ErrorPage("database", str(problem), situation)
    return ErrorResponse(HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": str(RETRY_SECONDS)}, page)


def _failed(request: Request, error: Exception) -> ErrorResponse:
    route, problem = _route(request), f"{type(error).__name__}: {error}"
    log.error("request.failed", key=route, route=route, problem=problem, exc_info=error)
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the daemon's log")


def _route(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "path", "none"))
