"""Error responses, all of the form `{"success": false, "error": "MESSAGE"}`; none repeats what was sent."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from daemon.errors import ChatelloError
from daemon.runtime import logs
from daemon.runtime.log_limit import LimitedLog

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


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"success": False, "error": message}, status, headers)


def install(app: FastAPI) -> None:
    """Register the handlers that turn every error inside `app` into an error response."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _rejected)
    app.add_exception_handler(ChatelloError, _unavailable)
    app.add_exception_handler(Exception, _failed)


def _rejected(_request: Request, rejected: Exception) -> JSONResponse:
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


def _invalid(_request: Request, invalid: Exception) -> JSONResponse:
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


def _unavailable(request: Request, problem: Exception) -> JSONResponse:
    log_unavailable(request, problem)
    message = "the database is not responding; try again in a few seconds"
    return error_response(HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": str(RETRY_SECONDS)})


def log_unavailable(request: Request, problem: Exception) -> None:
    route = _route(request)
    log.warning("request.unavailable", key=route, route=route, problem=str(problem))


def _failed(request: Request, error: Exception) -> JSONResponse:
    route, problem = _route(request), f"{type(error).__name__}: {error}"
    log.error("request.failed", key=route, route=route, problem=problem, exc_info=error)
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the daemon's log")


def _route(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "path", "none"))
