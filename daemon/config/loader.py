"""Loads the configuration: the environment overrides systemd credentials, which override a TOML file.

Invalid values raise one `ConfigurationError` with each key, value and expectation. Values of secrets are never shown.
Loading reads only files and the environment passed in.
"""

import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daemon.config import paths, target_secrets
from daemon.config.schema import Config, Http, is_loopback
from daemon.errors import ConfigurationError

PREFIX = "CHATELLO_"
TEST_PREFIX = "CHATELLO_TEST_"
SECRETS = frozenset({"mongodb.uri", "http.token"})
PLAIN_VARIABLES = {"MONGODB_URI": "mongodb.uri", "MONGODB_DATABASE": "mongodb.database"}
URI_LOGIN = re.compile(r"(://).*@", re.DOTALL)
LONGEST_SHOWN = 16
"""Characters of an invalid value in the settings of a target; a secret is longer."""
CREDENTIALS = {"mongodb-uri": "mongodb.uri", "http-token": "http.token"}


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Return the validated configuration; `path` None is the default file if it exists. Raises ConfigurationError."""
    values = read_file(path or paths.CONFIGURATION, must_exist=path is not None)
    _require_private_file(path or paths.CONFIGURATION, values)
    for key, value in (*credentials(environ), *environment_values(environ)):
        set_value(values, key, value)
    target_secrets.add(values, path or paths.CONFIGURATION, environ)
    try:
        config = Config.model_validate(values)
    except ValidationError as invalid:
        raise ConfigurationError(describe_errors(invalid)) from None
    _require_token(config.http)
    return config


def _require_private_file(path: Path, values: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for a secret in a world-readable file; a URI without a login is not a secret."""
    tables = {name: table for name in ("mongodb", "http") if isinstance(table := values.get(name), dict)}
    values_by_key = {f"{name}.{key}": str(value) for name, table in tables.items() for key, value in table.items()}
    secrets = [
        key
        for key in SECRETS & values_by_key.keys()
        if values_by_key[key] and (key != "mongodb.uri" or "@" in values_by_key[key])
    ]
    if secrets and path.stat().st_mode & stat.S_IROTH:
        raise ConfigurationError(
            f"{path} contains {', '.join(sorted(secrets))} and is world-readable; "
            f"run `chmod o-r {path}` or move the secret to a systemd credential (docs/configuration.md)"
        )


def _require_token(http: Http) -> None:
    if http.token.get_secret_value():
        return
    if http.token_for_reading:
        raise ConfigurationError(
            "http.token_for_reading: is true and http.token is not set; "
            "set the credential http-token (or CHATELLO_HTTP__TOKEN), or set http.token_for_reading to false"
        )
    if not is_loopback(http.host):
        raise ConfigurationError(
            f"http.host: {_mask_login(http.host)} is reachable from other machines and http.token is not set; "
            "set the credential http-token (or CHATELLO_HTTP__TOKEN), or set http.host to 127.0.0.1"
        )


def read_file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    """Return the file's tables; CRLF and a byte order mark are accepted. Raises ConfigurationError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if must_exist:
            raise ConfigurationError(f"the configuration file {path} does not exist") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigurationError(f"cannot read the configuration file {path}: {problem}") from None


def credentials(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return keys and values of the secrets passed by systemd (LoadCredential=); empty files are ignored."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    found = [(key, _read_secret(Path(directory) / name)) for name, key in CREDENTIALS.items()] if directory else []
    return [(key, value) for key, value in found if value]


def _read_secret(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8 text"
        raise ConfigurationError(f"cannot read the secret in {file}: {reason}; run the command as root") from None


def environment_values(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the environment variables as dotted keys and values; a CHATELLO_ name without "__" is an error."""
    found = [(key, environ[name]) for name, key in PLAIN_VARIABLES.items() if name in environ]
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(TEST_PREFIX):
            continue
        section, separator, key = name.removeprefix(PREFIX).partition("__")
        if not (section and separator and key):
            raise ConfigurationError(
                f"the environment variable {name} is not a setting; expected CHATELLO_SECTION__KEY, "
                "such as CHATELLO_HTTP__PORT"
            )
        found.append((f"{section.lower()}.{key.lower()}", environ[name]))
    return found


def set_value(values: dict[str, Any], key: str, value: str) -> None:
    section, _, name = key.partition(".")
    table = values.setdefault(section, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{section}: must be a table [{section}] in the configuration file")
    table[name] = value


def describe_errors(invalid: ValidationError) -> str:
    """Return all errors in one line: key, expectation and value (never of a secret)."""
    return "; ".join(_describe_error(error) for error in invalid.errors(include_url=False, include_context=False))


def _mask_login(text: str) -> str:
    """Mask the login of a connection string that was set in the wrong place."""
    return URI_LOGIN.sub(r"\1***@", text)


def _describe_error(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if not key:
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] in ("model_type", "dataclass_type"):
        return f"{key}: must be a table, [{key}]"
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key}: unknown setting"
    value = "" if _is_secret(key, error["input"]) else f", got {_mask_login(repr(error['input'])):.80}"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}{value}"


def _is_secret(key: str, value: object) -> bool:
    """Return whether a value must not be shown; a long text in the settings of a target may be a misplaced secret."""
    is_target = key.partition(".")[0] in (*target_secrets.TABLES, "delivery")
    is_secret = key in SECRETS or key.endswith(f".{target_secrets.KEY}")
    return is_secret or (is_target and len(repr(value)) > LONGEST_SHOWN)
