"""Parameter types, error responses and value conversion of the API.

Stored documents may hold anything: values of a wrong type become null; texts become one bounded line without invisible
characters, e-mail addresses and license keys.
"""

import math
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Security
from fastapi.security import HTTPBasic, HTTPBearer
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from daemon.mongo.id_text import MAX_LENGTH, shown_id
from rules import business_days
from rules.text import one_line, without_private_parts

PREFIX = "/api"
"""Part of every route itself, so that metrics and log show the full path."""

DATABASE_SECONDS = 5.0
"""Database timeout of a request."""

WRITE_SECURITY = [
    Security(HTTPBearer(auto_error=False, description="The token of the credential `http-token`.")),
    Security(HTTPBasic(auto_error=False, description="Any user name, with the token as the password.")),
]
"""For the OpenAPI document only: `AccessControl` checks the token."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _require_iso_date(value: object) -> object:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("must be a date such as 2026-11-23")
    return value


Day = Annotated[date, BeforeValidator(_require_iso_date)]
BusinessDay = Annotated[date, BeforeValidator(business_days.parsed)]
"""A day of which there can be rows and events."""
Id = Annotated[str, StringConstraints(max_length=MAX_LENGTH)]
"""An id as responses show it. The empty text, which forms send, means no id."""


class Strict(BaseModel):
    """Request body: exact types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ErrorResponse(BaseModel):
    """The error message; it never repeats what was sent."""

    success: Literal[False] = False
    error: str = Field(examples=["date: must be a date such as 2026-11-23"])


class SuccessResponse(BaseModel):
    success: Literal[True] = True


class PagedResponse(SuccessResponse):
    """A page of a list."""

    next_cursor: str | None = Field(
        default=None, description="Pass it as `cursor` to get the next page; null on the last page."
    )


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "The body is not valid JSON."},
    401: {"model": ErrorResponse, "description": "The token is missing or wrong."},
    403: {"model": ErrorResponse, "description": "Writing is disabled, or the request comes from another site."},
    413: {"model": ErrorResponse, "description": "The body is larger than 64 KiB."},
    415: {
        "model": ErrorResponse,
        "description": "The Content-Type is not application/json, or the body is compressed.",
    },
    421: {"model": ErrorResponse, "description": "Unknown host name."},
    422: {"model": ErrorResponse, "description": "A value is invalid; the message names its field."},
    429: {"model": ErrorResponse, "description": "Too many wrong tokens."},
    503: {"model": ErrorResponse, "description": "The database does not respond in time."},
}


def text(value: Any, limit: int = 1000) -> str | None:
    """Return a text as one line without private parts; None for other types."""
    return without_private_parts(one_line(value, limit)) if isinstance(value, str) else None


def number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def integer(value: Any) -> int | None:
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def identity(value: Any) -> str | None:
    return None if value is None else shown_id(value)


def datetime_text(value: Any) -> str | None:
    """Return UTC without an offset, which is the dashboard's format."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else None


def date_text(value: Any) -> str | None:
    return f"{value.astimezone(UTC):%Y-%m-%d}" if isinstance(value, datetime) else None
