"""Load the configuration: a TOML file, systemd credentials above it, the environment above both.

An invalid value is one `ConfigurationError` that names the key, the value and what was expected. Values of secrets are
never named. Loading reads files and the environment that is passed in, nothing else.
"""

import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import (
    ValidationError,
)

from daemon.config import paths
from daemon.config.schema import Config, Http, is_loopback
from daemon.errors import ConfigurationError

PREFIX = "CHATELLO_"
TEST_PREFIX = "CHATELLO_TEST_"
SECRETS = frozenset({"mongodb.uri", "http.token"})
PLAIN_VARIABLES = {"MONGODB_URI": "mongodb.uri", "MONGODB_DATABASE": "mongodb.database"}
LOGIN = re.compile(r"(://)[^/\s]*@")
CREDENTIALS = {"mongodb-uri": "mongodb.uri", "http-token": "http.token"}


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration in force; `path` None means the default file if it is there."""
    values = read_file(path or paths.CONFIGURATION, must_exist=path is not None)
    _require_kept_secrets(path or paths.CONFIGURATION, values)
    for key, value in (*credentials(environ), *variables(environ)):
        put(values, key, value)
    try:
        config = Config.model_validate(values)
    except ValidationError as invalid:
        raise ConfigurationError(explain(invalid)) from None
    _require_token_when_exposed(config.http)
    return config


def _require_kept_secrets(path: Path, values: Mapping[str, Any]) -> None:
    """A secret in a file that everybody on the machine may read is none; an address without a login is no secret."""
    tables = {name: table for name in ("mongodb", "http") if isinstance(table := values.get(name), dict)}
    held = {f"{name}.{key}": str(value) for name, table in tables.items() for key, value in table.items()}
    secrets = [key for key in SECRETS & held.keys() if held[key] and (key != "mongodb.uri" or "@" in held[key])]
    if secrets and path.stat().st_mode & stat.S_IROTH:
        raise ConfigurationError(
            f"{path} holds {', '.join(sorted(secrets))}, and everybody on this machine may read it; "
            f"chmod o-r {path}, or move it into a credential (docs/configuration.md)"
        )


def _require_token_when_exposed(http: Http) -> None:
    if not is_loopback(http.host) and not http.token.get_secret_value():
        raise ConfigurationError(
            f"http.host: {_without_login(http.host)} can be reached from other machines, and there is no "
            "token; put one into the credential http-token (or CHATELLO_HTTP__TOKEN), or keep http.host on 127.0.0.1"
        )


def read_file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    """The file's tables; CRLF and a byte order mark do no harm."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if must_exist:
            raise ConfigurationError(f"the configuration file {path} does not exist") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigurationError(f"the configuration file {path} cannot be read: {problem}") from None


def credentials(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Secrets handed over by systemd (LoadCredential=); an empty file is none. Values only, never told."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    found = [(key, _secret(Path(directory) / name)) for name, key in CREDENTIALS.items()] if directory else []
    return [(key, value) for key, value in found if value]


def _secret(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is no text in UTF-8"
        raise ConfigurationError(f"the secret in {file} cannot be read: {reason}; run this as root") from None


def variables(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Our environment variables as dotted keys; a CHATELLO_ name without "__" is a mistake worth telling."""
    found = [(key, environ[name]) for name, key in PLAIN_VARIABLES.items() if name in environ]
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(TEST_PREFIX):
            continue
        section, separator, key = name.removeprefix(PREFIX).partition("__")
        if not (section and separator and key):
            raise ConfigurationError(
                f"the environment variable {name} names no setting; wanted CHATELLO_SECTION__KEY, "
                "such as CHATELLO_HTTP__PORT"
            )
        found.append((f"{section.lower()}.{key.lower()}", environ[name]))
    return found


def put(values: dict[str, Any], key: str, value: str) -> None:
    section, _, name = key.partition(".")
    table = values.setdefault(section, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{section}: wanted a table [{section}] in the configuration file")
    table[name] = value


def explain(invalid: ValidationError) -> str:
    """All mistakes in one sentence: key, value (never a secret's), what was wanted."""
    return "; ".join(_sentence(error) for error in invalid.errors(include_url=False, include_context=False))


def _without_login(text: str) -> str:
    """A connection string in the wrong place is still a secret."""
    return LOGIN.sub(r"\1***@", text)


def _sentence(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] in ("model_type", "dataclass_type"):
        return f"{key}: wanted a table, [{key}]"
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key}: there is no such setting"
    value = "" if key in SECRETS else f", got {_without_login(repr(error['input'])):.80}"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}{value}"
