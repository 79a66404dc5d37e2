"""What the API takes and answers: the types of its parameters, the shape of a refusal, and values made fit to be sent.

Documents are other people's too: what is no number is null, texts are one bounded line without what nobody can see.
"""

import math
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Security
from fastapi.security import HTTPBasic, HTTPBearer
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from rules.text import one_line

PREFIX = "/api"
"""Part of every route of the API itself: metrics and log name a route by its whole path."""

SECONDS = 5.0
"""What a request may take of the database's time."""

LONGEST_ID = 100

WRITING = [
    Security(HTTPBearer(auto_error=False, description="The token of the credential `http-token`.")),
    Security(HTTPBasic(auto_error=False, description="Any name, and the token as the password.")),
]
"""For the documentation: the gate in front of the application has asked already."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _written_as_a_day(value: object) -> object:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("wanted a day, such as 2026-11-23")
    return value


Day = Annotated[date, BeforeValidator(_written_as_a_day)]
Id = Annotated[str, StringConstraints(pattern=rf"^[A-Za-z0-9_.:-]{{0,{LONGEST_ID}}}$")]
"""Empty, as forms send it, is none."""


class Strict(BaseModel):
    """A body: of the types it says, without a field it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Refused(BaseModel):
    """What went wrong, in one sentence; never with a word of what was sent."""

    success: Literal[False] = False
    error: str = Field(examples=["date: wanted a day, such as 2026-11-23"])


class Answer(BaseModel):
    success: Literal[True] = True


class Page(Answer):
    """A list that may go on."""

    next_cursor: str | None = Field(
        default=None, description="For `cursor`, to go on behind this page; null at its end."
    )


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refused, "description": "No JSON that could be read."},
    401: {"model": Refused, "description": "The token is missing or wrong."},
    403: {"model": Refused, "description": "Writing is switched off, or another site asks."},
    413: {"model": Refused, "description": "More than 64 kB."},
    415: {"model": Refused, "description": "No application/json."},
    421: {"model": Refused, "description": "The Host is not one of ours."},
    422: {"model": Refused, "description": "A value is not what was wanted; the sentence names its field."},
    429: {"model": Refused, "description": "Too many wrong tokens."},
    503: {"model": Refused, "description": "The database does not answer in time."},
}


def text(value: Any, limit: int = 1000) -> str | None:
    """A text for one line; null for what is none."""
    return one_line(value, limit) if isinstance(value, str) else None


def number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def integer(value: Any) -> int | None:
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def identity(value: Any) -> str | None:
    return None if value is None else one_line(str(value), LONGEST_ID)


def moment(value: Any) -> str | None:
    """As the dashboard writes it: in UTC, without saying so."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else None


def day(value: Any) -> str | None:
    return f"{value.astimezone(UTC):%Y-%m-%d}" if isinstance(value, datetime) else None
