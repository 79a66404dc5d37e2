"""Sections of the configuration for deliveries: `[webhooks.NAME]`, `[notify.NAME]` and `[delivery]`.

The secret of a target is a file of its own (daemon/config/target_secrets.py) and is added when the configuration is
loaded.
"""

import base64
import re
from collections.abc import Sequence
from datetime import time
from difflib import get_close_matches
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr

from daemon.config.addresses import is_private
from daemon.config.rules import Section, split_list
from rules.messages.timing import QuietHours
from rules.model.events import EventType
from rules.model.facts import FactType

EVENT_TYPES = tuple(map(str, EventType))
WEBHOOK_TYPES = (*EVENT_TYPES, *map(str, FactType))
INTERRUPTION, APPROVAL = "interruption", "approval"
NOW_TYPES = (*EVENT_TYPES, INTERRUPTION, APPROVAL)
MORNING_PARTS = ("day", "week", "month", "correction")

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_TYPE = re.compile(r"[a-z_.]{1,32}")
_PRINTABLE = re.compile(r"[!-~]+")
_ANY_URL = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+", re.IGNORECASE)
SECRET_BYTES = range(24, 65)
"""Length of a webhook's secret according to the Standard Webhooks specification."""


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("the name of a target must be 1 to 32 characters from a-z, 0-9 and -")
    return name


TargetName = Annotated[str, AfterValidator(_check_name)]


def _known(types: Sequence[str]) -> AfterValidator:
    def check(chosen: tuple[str, ...]) -> tuple[str, ...]:
        for one in chosen:
            if one not in types:
                close = get_close_matches(one, types, n=1)
                hint = f"did you mean {close[0]!r}; " if close else ""
                shown = repr(one) if _TYPE.fullmatch(one) else "a value"
                raise ValueError(f"{shown} is not a known type; {hint}expected some of {', '.join(types)}")
        return chosen

    return AfterValidator(check)


def _is_public_address(host: str) -> bool:
    try:
        return not is_private(host)
    except ValueError:
        return False  # a host name: its addresses are checked at each connection


def _check_web_url(value: SecretStr) -> SecretStr:
    """Check the URL of a webhook or heartbeat; "" (no URL) is accepted."""
    text = value.get_secret_value()
    if not text:
        return value
    try:
        url = urlsplit(text)
        host = url.hostname if url.port != 0 else None
    except ValueError:
        url, host = urlsplit(""), None
    if not host or url.scheme not in ("https", "http") or not _PRINTABLE.fullmatch(text):
        raise ValueError("must be a URL such as https://host.example/path, in ASCII and without spaces")
    if url.username is not None or url.fragment:
        raise ValueError("must contain neither a login (user:password@) nor a fragment (#…)")
    if url.scheme == "http" and _is_public_address(host):
        raise ValueError("must begin with https://; http:// is accepted only for loopback and private addresses")
    return value


WebUrl = Annotated[SecretStr, AfterValidator(_check_web_url)]
"""Secret, because the path of such a URL often is the receiver's only protection."""


def _check_webhook_secret(value: SecretStr) -> SecretStr:
    lines = value.get_secret_value().split()
    if len(lines) > 2 or not all(map(_is_webhook_secret, lines)):
        raise ValueError(
            "must be one or two lines whsec_… with 24 to 64 random bytes in base64; "
            'create one with `echo "whsec_$(openssl rand -base64 32)"`'
        )
    return value


def _is_webhook_secret(line: str) -> bool:
    encoded = line.removeprefix("whsec_")
    if encoded == line:
        return False
    try:
        decoded = base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), validate=True)
    except ValueError:
        return False
    return len(decoded) in SECRET_BYTES


def _check_notify_secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value() and not _ANY_URL.fullmatch(value.get_secret_value()):
        raise ValueError("must be one line with the URL of one recipient, such as mailtos://… or tgram://…, in ASCII")
    return value


def _parse_quiet(value: object) -> object:
    if isinstance(value, QuietHours) or value is None or value == "":
        return value or None
    try:
        start, separator, end = str(value).partition("-")
        hours = QuietHours(*(time.fromisoformat(part.strip()) for part in (start, end)))
    except ValueError:
        raise ValueError('must be a range of times of day such as "22:00-07:00", or ""') from None
    if not separator or hours.start == hours.end or hours.start.tzinfo or hours.end.tzinfo:
        raise ValueError('must be a range of two different times of day such as "22:00-07:00", or ""')
    return hours


def _shown_quiet(hours: QuietHours | None) -> str:
    return f"{hours.start:%H:%M}-{hours.end:%H:%M}" if hours else ""


class Webhook(Section):
    """A system that receives facts as signed HTTP requests. Without `only` it receives all of them.

    `names` adds names and texts; such a receiver also gets `customer.forgotten`, whatever `only` says.
    """

    url: Annotated[WebUrl, Field(min_length=1)]
    only: Annotated[tuple[str, ...], BeforeValidator(split_list), _known(WEBHOOK_TYPES)] = ()
    names: bool = False
    secret: Annotated[SecretStr, AfterValidator(_check_webhook_secret)] = SecretStr("")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The one or two secrets that sign each request."""
        return tuple(self.secret.get_secret_value().split())


class Notify(Section):
    """A person who receives messages. `now`: types sent at once; `morning`: parts of the daily message."""

    now: Annotated[tuple[str, ...], BeforeValidator(split_list), _known(NOW_TYPES)] = (
        "new_customer",
        "license_cancelled",
        "payment_failed",
        "milestone_reached",
        INTERRUPTION,
        APPROVAL,
    )
    morning: Annotated[tuple[str, ...], BeforeValidator(split_list), _known(MORNING_PARTS)] = MORNING_PARTS
    quiet: Annotated[QuietHours | None, BeforeValidator(_parse_quiet), PlainSerializer(_shown_quiet)] = QuietHours(
        time(22), time(7)
    )
    silent_days: bool = False
    secret: Annotated[SecretStr, AfterValidator(_check_notify_secret)] = SecretStr("")


class Delivery(Section):
    """Days that facts are kept, and a URL that is requested every five minutes while the daemon is ready."""

    keep_days: int = Field(default=30, ge=1, le=365)
    heartbeat_url: WebUrl = SecretStr("")
