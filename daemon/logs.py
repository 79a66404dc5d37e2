"""The log: one JSON line per fact on stdout, pretty on a terminal. Events are named `noun.past_verb`.

With journald (JOURNAL_STREAM set) each line carries its priority as `<N>`; the rest stays valid JSON.
"""

import json
import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from daemon.config import Logs

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_SECRET = re.compile(r"(mongodb(?:\+srv)?://)[^@/\s]*@")

Line = MutableMapping[str, Any]


def set_up(config: Logs) -> None:
    """Configure logging for the whole process."""
    pretty = config.format == "pretty" or (config.format == "auto" and sys.stdout.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            *([structlog.dev.ConsoleRenderer(sort_keys=False)] if pretty else [render, with_priority]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, config.level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )


def redact(_logger: object, _method: str, line: Line) -> Line:
    """Take user and password out of connection strings, and control characters out of pretty output."""
    return {key: _clean(value) if isinstance(value, str) else value for key, value in line.items()}


def _clean(text: str) -> str:
    return _SECRET.sub(r"\1***@", text)


def render(_logger: object, _method: str, line: Line) -> Line:
    """The line as JSON in ASCII: a hostile name can neither break the line nor move the cursor."""
    first = {name: line[name] for name in ("timestamp", "level", "event") if name in line}
    text = json.dumps({**first, **line}, default=str, ensure_ascii=True)
    return {"json": text, "level": line.get("level", "info")}


def with_priority(_logger: object, _method: str, line: Line) -> str:
    prefix = f"<{_PRIORITIES[line['level']]}>" if "JOURNAL_STREAM" in os.environ else ""
    return f"{prefix}{line['json']}"


def get(name: str) -> Any:
    """A logger whose lines carry `part`, the room they come from."""
    return structlog.get_logger(part=name)
