"""Every refusal in one shape: `{"success": false, "error": "one sentence"}`; nothing that was sent is sent back."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from daemon.errors import ChatelloError
from daemon.runtime import logs

RETRY_SECONDS = 5

SENTENCES: Mapping[int, str] = {
    HTTPStatus.NOT_FOUND: "there is nothing here; /docs lists what there is",
    HTTPStatus.METHOD_NOT_ALLOWED: "this method is not for this address; /docs lists which is",
    HTTPStatus.BAD_REQUEST: "the request could not be read",
}
"""What the framework would say in its own words."""

MANY = "wanted one of several things, which /docs lists"

log = logs.get("http")


class Refusal(HTTPException):
    """A request that cannot be met, in one sentence of ours; never with a word of the request in it."""


def answer(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"success": False, "error": sentence}, status, headers)


def install(app: FastAPI) -> None:
    """Have everything that goes wrong inside `app` answered in our shape."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(ChatelloError, _unavailable)
    app.add_exception_handler(Exception, _broken)


def _refused(_request: Request, refused: Exception) -> JSONResponse:
    assert isinstance(refused, HTTPException)
    own = refused.detail if isinstance(refused, Refusal) else None
    sentence = own or SENTENCES.get(refused.status_code) or HTTPStatus(refused.status_code).phrase.lower()
    return answer(refused.status_code, sentence, _with_head(refused.headers))


def _with_head(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """Where GET is answered HEAD is, too, which the framework does not know (`armour.Heads`)."""
    return {
        name: f"{value}, HEAD" if (name, value) == ("Allow", "GET") else value
        for name, value in (headers or {}).items()
    }


def _invalid(_request: Request, invalid: Exception) -> JSONResponse:
    assert isinstance(invalid, RequestValidationError)
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(_mistakes(invalid.errors())))


def _mistakes(errors: Any) -> Iterator[str]:
    """Each field and what was wanted. Of unknown fields and of keys inside free objects not even the name is told."""
    wanted: dict[str, set[str]] = {}
    for error in errors:
        where, *path = error["loc"]
        if error["type"] == "extra_forbidden":
            wanted.setdefault(where, set()).add("holds a field that is not known here")
        else:
            field = path[0] if path and isinstance(path[0], str) else where
            wanted.setdefault(field, set()).add(_wanted(error))
    for field, sentences in wanted.items():
        yield f"{field}: {sentences.pop() if len(sentences) == 1 else MANY}"


def _wanted(error: Mapping[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


def _unavailable(request: Request, problem: Exception) -> JSONResponse:
    log.warning("request.unavailable", route=_route(request), problem=str(problem))
    sentence = "the database does not answer at the moment; try again in a few seconds"
    return answer(HTTPStatus.SERVICE_UNAVAILABLE, sentence, {"Retry-After": str(RETRY_SECONDS)})


def _broken(request: Request, error: Exception) -> JSONResponse:
    log.error("request.failed", route=_route(request), problem=f"{type(error).__name__}: {error}", exc_info=error)
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "this failed; the daemon's log says why")


def _route(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "path", "none"))
