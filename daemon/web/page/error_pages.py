"""Errors as pages in Italian, for people; programs get JSON."""

from http import HTTPStatus
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import Scope

from daemon.web.page import error_texts
from daemon.web.page.environment import environment

PAGES = "/analytics"


def is_for_a_person(scope: Scope) -> bool:
    """Whether the answer will be read by a person: a browser, or anybody who asks for a page and not for JSON."""
    accept = Headers(scope=scope).get("accept", "")
    return "text/html" in accept or (scope["path"].startswith(PAGES) and "application/json" not in accept)


class ErrorPage(NamedTuple):
    """What the page of an error shows besides its status: `case` is a key of `error_texts.ERRORS`.

    `reason` is a message in English, `situation` an Italian sentence on the system.
    """

    case: int | str
    reason: str
    situation: str = ""


def render(status: int, page: ErrorPage) -> str:
    title, action = error_texts.ERRORS.get(page.case, error_texts.OTHER)
    is_temporary = status == HTTPStatus.SERVICE_UNAVAILABLE
    view = {"title": title, "action": action, "is_temporary": is_temporary, **page._asdict()}
    return environment().get_template("error.html").render(view)
