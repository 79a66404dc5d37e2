"""Sections of the configuration with their defaults and limits."""

import ipaddress
import re
from datetime import time
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, model_validator

from daemon.config.rules import Rules, Section, split_list
from daemon.config.targets import Delivery, Notify, TargetName, Webhook
from rules.settings.settings import DeletionLimit, Settings

EXCLUDED_ZONES = {"Factory", "localtime"}
"""Other files in the zone folder of a machine, unknown to some libraries."""


def _parse_zone(value: object) -> object:
    if isinstance(value, ZoneInfo):
        return value
    if isinstance(value, str) and value in available_timezones() - EXCLUDED_ZONES:
        return ZoneInfo(value)
    raise ValueError('must be an IANA time zone such as "Europe/Rome"')


Zone = Annotated[ZoneInfo, BeforeValidator(_parse_zone), PlainSerializer(str)]


_LOGIN = re.compile(r"://(.*)@", re.DOTALL)
_UNESCAPED = re.compile(r"[@/?#\[\]]|:.*:|%(?![0-9A-Fa-f]{2})", re.DOTALL)


def _check_login(uri: SecretStr) -> SecretStr:
    """Reject a login with unescaped characters: the driver would take a part of the password for a host and show it."""
    login = _LOGIN.search(uri.get_secret_value())
    if login and _UNESCAPED.search(login[1]):
        raise ValueError(
            "the user name, the password or an option contains a character that must be escaped: write %40 for @, "
            "%3A for :, %2F for /, %3F for ?, %23 for #, %5B for [, %5D for ], %25 for % (the value is not shown)"
        )
    return uri


class Mongodb(Section):
    """The dashboard's database. `timeout_seconds` limits every single operation."""

    uri: Annotated[SecretStr, AfterValidator(_check_login)] = SecretStr("mongodb://127.0.0.1:27017")
    database: str = Field(default="chatello_saas", min_length=1, max_length=63, pattern=r"^[^/\\. \"$\x00]+$")
    timeout_seconds: float = Field(default=20, ge=1, le=600)


_TOKEN = re.compile(r"[!-~]{16,512}")


def _check_token(token: SecretStr) -> SecretStr:
    if token.get_secret_value() and not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("must be 16 to 512 ASCII characters without spaces; create one with `openssl rand -hex 32`")
    return token


_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9a-fA-F:.]{2,45}")


def _check_host_name(name: str) -> str:
    """Reject anything that a browser never sends as a host name."""
    if not _NAME.fullmatch(name):
        raise ValueError('must be a host name such as "analytics.example.com", without scheme, port or path')
    return name


def _check_proxy(address: str) -> str:
    try:
        ipaddress.ip_network(address)
    except ValueError:
        raise ValueError('must be an IP address or network such as "127.0.0.1" or "10.0.0.0/8"') from None
    return address


class Http(Section):
    """Address of the HTTP server, additional host names it accepts, its access token, and the proxies before it."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=5013, ge=1, le=65535)
    hosts: Annotated[tuple[Annotated[str, AfterValidator(_check_host_name)], ...], BeforeValidator(split_list)] = ()
    token: Annotated[SecretStr, AfterValidator(_check_token)] = SecretStr("")
    token_for_reading: bool = False
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_check_proxy)], ...], BeforeValidator(split_list)
    ] = ()


def is_loopback(host: str) -> bool:
    """Whether a host name or address is a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _clock_time(value: object) -> object:
    """Reject numbers, which pydantic reads as seconds, and times with a zone: the business day's zone applies."""
    if isinstance(value, str | time) and getattr(value, "tzinfo", None) is None:
        return value
    raise ValueError('must be a time of day without a zone, such as "06:00"')


def _without_zone(at: time) -> time:
    return at if at.tzinfo is None else time.fromisoformat(str(_clock_time(at)))


class Time(Section):
    """Zone of the business day, time at which a day is closed, and zone of stored local times.

    `naive_zone` is the zone of a dashboard API that stores local times as if they were UTC; "UTC" leaves every date
    unchanged.
    """

    zone: Zone = ZoneInfo("Europe/Rome")
    live_row_seconds: float = Field(default=60, ge=1, le=3600)
    rollup_at: Annotated[time, BeforeValidator(_clock_time), AfterValidator(_without_zone)] = time(6, 0)
    naive_zone: Zone = ZoneInfo("UTC")


class StreamSettings(Section):
    """Reading of the change stream: changes per transaction, and maximum times in seconds."""

    batch_size: int = Field(default=800, ge=1, le=10_000)
    await_seconds: float = Field(default=5, ge=0.1, le=30)
    checkpoint_seconds: float = Field(default=20, ge=0.1, le=3600)


class LeaseSettings(Section):
    """Leader lease: the leader renews it; a standby daemon takes over `seconds` after the last renewal."""

    seconds: float = Field(default=8, ge=2, le=300)


class ReconciliationSettings(Section):
    """Deletions above this share of the documents (and this number) need manual approval.

    They are counted per collection: at a reconciliation, and over ten minutes while the stream is followed.
    """

    max_deleted_share: float = Field(default=0.2, ge=0, le=1)
    max_deleted: int = Field(default=5, ge=0)

    def limit(self) -> DeletionLimit:
        return DeletionLimit(self.max_deleted, self.max_deleted_share)


def _at_least(minimum: int) -> AfterValidator:
    def check(days: int) -> int:
        if 0 < days < minimum:
            raise ValueError(f"must be 0 (forever) or at least {minimum} days, which rows, rates and trends need")
        return days

    return AfterValidator(check)


class Retention(Section):
    """Number of days that facts are kept; 0 is forever. Rows of the analytics table are never deleted.

    External events are never deleted. Of the ledger whole months are deleted and an opening balance is kept; the
    database user then needs the privilege to remove from it (deploy/mongodb).
    """

    events_days: Annotated[int, Field(ge=0, le=36_500), _at_least(30)] = 0
    ledger_days: Annotated[int, Field(ge=0, le=36_500), _at_least(400)] = 0


class Logs(Section):
    """`auto` is pretty on a terminal and JSON elsewhere. `file` additionally receives JSON; "" is no file.

    `batch_events` is the maximum number of events per batch that are logged one by one; more are only counted.
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
    stream: StreamSettings = StreamSettings()
    lease: LeaseSettings = LeaseSettings()
    reconciliation: ReconciliationSettings = ReconciliationSettings()
    retention: Retention = Retention()
    logs: Logs = Logs()
    webhooks: dict[TargetName, Webhook] = Field(default={})
    notify: dict[TargetName, Notify] = Field(default={})
    delivery: Delivery = Delivery()
    rules: Rules = Rules()

    @model_validator(mode="after")
    def _check_target_names(self) -> Self:
        for name in self.webhooks.keys() & self.notify.keys():
            raise ValueError(f"notify.{name}: the name is also used in [webhooks.{name}]; choose another one")
        return self

    @property
    def delivers(self) -> bool:
        """Whether a target is configured."""
        return bool(self.webhooks or self.notify)

    def settings(self) -> Settings:
        """Return the part of the configuration that the rules use."""
        return Settings(zone=self.time.zone, deletion_limit=self.reconciliation.limit(), **dict(self.rules))
