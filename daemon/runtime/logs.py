"""Logging: one JSON line per event on stdout, pretty on a terminal, and in a file if configured.

Events are named `noun.past_verb`; docs/logs.md lists them. With journald (JOURNAL_STREAM set) each line carries its
priority as `<N>`; the rest stays valid JSON. Secrets and e-mail addresses are removed from every line, at any depth.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from logging.handlers import RotatingFileHandler
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from pydantic import BaseModel, SecretStr

from daemon.config.schema import Logs
from daemon.errors import ConfigurationError
from daemon.runtime.terminal import has_colors
from daemon.runtime.url_parts import url_parts

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_LOGIN = re.compile(r"(://)\S*@")
_BEARER = re.compile(r"(bearer\s+)[^\s\"',;]+", re.IGNORECASE)
_MAIL = re.compile(r"[^\s@/:*<>()\[\],;\"'\\=]{1,64}@[^\s@/:*<>()\[\],;\"'\\]{1,255}")
SHORTEST_SECRET = 6
"""Characters; a shorter secret would remove common words from the log."""
SHORTEST_URL_PART = 10
"""Characters of a part of a target's URL, which may also be a word such as the name of a channel."""

_encode = json.JSONEncoder(default=str, ensure_ascii=False).encode

Line = MutableMapping[str, Any]


def set_up(config: Logs, secrets: Iterable[str] = ()) -> None:
    """Configure logging of the process; `secrets` are masked in every value.

    Raises ConfigurationError if the configured file cannot be written.
    """
    pretty = config.format == "pretty" or (config.format == "auto" and sys.stdout.isatty())
    console = structlog.dev.ConsoleRenderer(colors=has_colors(), sort_keys=False, repr_native_str=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            Redaction(secrets),
            *([LogFile(config)] if config.file else []),
            *([console] if pretty else [render]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, config.level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )


def get(name: str) -> Any:
    """Return a logger whose lines carry `component`: the part of the daemon they come from."""
    return structlog.get_logger(component=name)


def secrets_of(section: BaseModel) -> Iterator[str]:
    """Yield every secret of a configuration in the forms that a text may contain; of a URI the password."""
    for _name, value in section:
        for one in value.values() if isinstance(value, dict) else (value,):
            if isinstance(one, BaseModel):
                yield from secrets_of(one)
            elif isinstance(one, SecretStr):
                yield from _forms(one.get_secret_value())


def _forms(secret: str) -> Iterator[str]:
    if "://" not in secret:
        yield from secret.split()
    elif secret.startswith("mongodb"):
        password = urlsplit(secret).password
        if password:
            yield password
            yield unquote(password)
    else:
        yield from (part for part in url_parts(secret) if len(part) >= SHORTEST_URL_PART)


class Redaction:
    """Masks known secrets, logins in URLs, bearer tokens and e-mail addresses."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = sorted({one for one in secrets if len(one) >= SHORTEST_SECRET}, key=len, reverse=True)

    def __call__(self, _logger: object, _method: str, line: Line) -> Line:
        return {key: self._value(value) for key, value in line.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, dict):
            return {self.text(str(key)): self._value(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(one) for one in value]
        return self.text(str(value))

    def text(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        if "@" in text:
            text = _MAIL.sub("***@***", _LOGIN.sub(r"\1***@", text))
        return _BEARER.sub(r"\1***", text) if "earer" in text.lower() else text


class LogFile:
    """Writes each line as JSON to a file that is rotated to .1, .2 and so on when it is full.

    If the file cannot be written, the line on stdout carries `log_file_problem` and the daemon continues.
    """

    def __init__(self, config: Logs) -> None:
        size = config.file_megabytes * 1_000_000
        try:
            self.handler = _Strict(config.file, maxBytes=size, backupCount=config.file_count, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"logs.file: cannot write {config.file} ({error.strerror}); "
                "set it to a file in an existing directory that the daemon may write to"
            ) from None

    def __call__(self, _logger: object, _method: str, line: Line) -> Line:
        try:
            self.handler.handle(logging.makeLogRecord({"msg": as_json(line)}))
        except OSError as error:
            return {**line, "log_file_problem": str(error)}
        return line


class _Strict(RotatingFileHandler):
    """Raises an error instead of printing a traceback for every line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        raise  # noqa: PLE0704 - the library calls this from its `except`


def as_json(line: Line) -> str:
    first = {name: line[name] for name in ("timestamp", "level", "event") if name in line}
    return to_json({**first, **line})


def to_json(value: object) -> str:
    """Return JSON in which a hostile name can neither break the line nor move the cursor.

    Characters that are not printable are escaped: control and bidirectional characters, line separators, surrogates.
    """
    text = _encode(value)
    return text if text.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return r"\u007f" if char == "\x7f" else json.dumps(char)[1:-1]  # JSON does not require to escape DEL


def render(_logger: object, _method: str, line: Line) -> str:
    text = prefix(line["level"]) + as_json(line)
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return text if is_unicode else "".join(char if char.isascii() else _escaped(char) for char in text)


def prefix(level: str) -> str:
    """Return the priority prefix of journald (sd-daemon(3)); empty without journald."""
    return f"<{_PRIORITIES[level]}>" if "JOURNAL_STREAM" in os.environ else ""
