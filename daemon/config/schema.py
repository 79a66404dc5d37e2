"""The sections of the configuration, their defaults and their limits."""

import ipaddress
import re
from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
)

from daemon.config.rules import Rules, Section, listed
from rules.settings.settings import Settings

NO_ZONES = {"Factory", "localtime"}
"""Files of the machine beside the zones, which not every library knows."""


def _zone(value: object) -> object:
    if isinstance(value, ZoneInfo):
        return value
    if isinstance(value, str) and value in available_timezones() - NO_ZONES:
        return ZoneInfo(value)
    raise ValueError('a zone of the IANA database, such as "Europe/Rome"')


Zone = Annotated[ZoneInfo, BeforeValidator(_zone), PlainSerializer(str)]


class Mongodb(Section):
    """Where the dashboard's database is. `timeout_seconds` bounds every single operation."""

    uri: SecretStr = SecretStr("mongodb://127.0.0.1:27017")
    database: str = Field(default="chatello_saas", min_length=1, max_length=63, pattern=r"^[^/\\. \"$\x00]+$")
    timeout_seconds: float = Field(default=20, ge=1, le=600)


_TOKEN = re.compile(r"[!-~]{16,512}")


def _token(token: SecretStr) -> SecretStr:
    if token.get_secret_value() and not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("wanted 16 to 512 ASCII characters without a space, such as `openssl rand -hex 32` makes")
    return token


_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9a-fA-F:.]{2,45}")


def _name(name: str) -> str:
    """Anything more would never be the name that a browser asks for."""
    if not _NAME.fullmatch(name):
        raise ValueError('wanted a name such as "analytics.example.com", without scheme, port or path')
    return name


class Http(Section):
    """Where the doors are, under which further names they may be asked for, and the token that opens them."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=5013, ge=1, le=65535)
    hosts: Annotated[tuple[Annotated[str, AfterValidator(_name)], ...], BeforeValidator(listed)] = ()
    token: Annotated[SecretStr, AfterValidator(_token)] = SecretStr("")


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine to itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _clock_time(value: object) -> object:
    """What a clock on the wall says: a number would be seconds, and a zone is the one of the business day."""
    if isinstance(value, str | time) and getattr(value, "tzinfo", None) is None:
        return value
    raise ValueError('wanted a time of the day, such as "06:00"')


def _without_zone(at: time) -> time:
    return at if at.tzinfo is None else time.fromisoformat(str(_clock_time(at)))


class Time(Section):
    """The business day's zone, when a day is closed, and how times without a zone were written.

    `naive_zone` is the zone of a dashboard API that stores local times as if they were UTC; "UTC" takes
    every date as it stands.
    """

    zone: Zone = ZoneInfo("Europe/Rome")
    live_row_seconds: float = Field(default=60, ge=1, le=3600)
    rollup_at: Annotated[time, BeforeValidator(_clock_time), AfterValidator(_without_zone)] = time(6, 0)
    naive_zone: Zone = ZoneInfo("UTC")


class Stream(Section):
    """How the change stream is read: changes per transaction, and how much may wait in memory."""

    batch_size: int = Field(default=800, ge=1, le=10_000)
    await_seconds: float = Field(default=5, ge=0.1, le=30)
    checkpoint_seconds: float = Field(default=20, ge=0.1, le=3600)


class Lease(Section):
    """Two daemons may run: the holder renews, the other takes over after `seconds` of silence."""

    seconds: float = Field(default=8, ge=2, le=300)


class Reconciliation(Section):
    """Above this share of disappeared documents (and this many) a person has to accept the deletions."""

    max_deleted_share: float = Field(default=0.2, ge=0, le=1)
    max_deleted: int = Field(default=20, ge=0)


def _kept_long_enough(least: int) -> AfterValidator:
    def check(days: int) -> int:
        if 0 < days < least:
            raise ValueError(f"0 for ever, or at least {least} days: rows, rates and trends look back so far")
        return days

    return AfterValidator(check)


class Retention(Section):
    """How many days facts are kept; 0 is for ever. Rows of the analytics table are never deleted.

    Of events only our own go. Of the ledger whole months go, and an opening balance stays; the database user then needs
    the right to remove from it (deploy/mongodb).
    """

    events_days: Annotated[int, Field(ge=0, le=36_500), _kept_long_enough(30)] = 0
    ledger_days: Annotated[int, Field(ge=0, le=36_500), _kept_long_enough(400)] = 0


class Logs(Section):
    """`auto` is pretty on a terminal and JSON elsewhere. `file` gets JSON as well; "" is none.

    `batch_events` is how many events of one batch get a line each; of a larger batch they are counted.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "pretty"] = "auto"
    file: str = ""
    file_megabytes: int = Field(default=10, ge=1, le=10_000)
    file_count: int = Field(default=5, ge=1, le=100)
    batch_events: int = Field(default=100, ge=0, le=100_000)


class Config(Section):
    mongodb: Mongodb = Mongodb()
    http: Http = Http()
    time: Time = Time()
    stream: Stream = Stream()
    lease: Lease = Lease()
    reconciliation: Reconciliation = Reconciliation()
    retention: Retention = Retention()
    logs: Logs = Logs()
    rules: Rules = Rules()

    def settings(self) -> Settings:
        """What of the configuration the rules may see."""
        return Settings(zone=self.time.zone, **dict(self.rules))
