"""Secrets of the targets of deliveries: one file per target.

Read in this order, the first file that exists:
1. `target_NAME` in $CREDENTIALS_DIRECTORY: systemd's directory credential, or a Docker secret,
2. `targets/NAME` in $CREDENTIALS_DIRECTORY: the installed command, which sets it to /etc/chatello-analytics,
3. `targets/NAME` beside the configuration file, without $CREDENTIALS_DIRECTORY.

A missing or unreadable file is not an error here: `check` and the start of the daemon report it, other commands do not
need the secrets.
"""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daemon.config.schema import Config
from daemon.config.targets import Notify, Webhook
from daemon.errors import ConfigurationError

TABLES = ("webhooks", "notify")
KEY = "secret"


def add(values: dict[str, Any], path: Path, environ: Mapping[str, str]) -> None:
    """Add the secrets to the tables of their targets; `path` is the configuration file. Raises ConfigurationError."""
    for table, name, target in _targets(values):
        if KEY in target:
            raise ConfigurationError(
                f"{table}.{name}.{KEY}: unknown setting; the secret belongs in the file {expected_file(name, path)}"
            )
        target[KEY] = next((text for file in _files(name, path, environ) if (text := _read(file))), "")


def missing(config: Config, path: Path) -> Iterator[tuple[str, str]]:
    """Yield the targets without a secret and what to do; `path` is the configuration file."""
    targets: dict[str, Webhook | Notify] = {**config.webhooks, **config.notify}
    for name, target in targets.items():
        if not target.secret.get_secret_value():
            kind = "one or two lines whsec_…" if name in config.webhooks else "the URL of the recipient"
            yield name, f"write {kind} to {expected_file(name, path)} (owner root, mode 600; docs/delivery.md)"


def require(config: Config, path: Path, only: str | None = None) -> None:
    """Raise ConfigurationError if a target, or `only` this one, has no secret."""
    for name, hint in missing(config, path):
        if only not in (None, name):
            continue
        raise ConfigurationError(f"target {name}: its secret is missing or not readable; {hint}")


def expected_file(name: str, path: Path) -> Path:
    """Return where a person stores the secret of a target."""
    return path.parent / "targets" / name


def _targets(values: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for table in TABLES:
        targets = values.get(table)
        for name, target in targets.items() if isinstance(targets, dict) else ():
            if isinstance(target, dict) and Path(name).name == name:
                yield table, name, target


def _files(name: str, path: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory:
        yield Path(directory) / f"target_{name}"
        yield Path(directory) / "targets" / name
    else:
        yield expected_file(name, path)


def _read(file: Path) -> str:
    """Return the text of a file, "" if it does not exist or this user may not read it."""
    try:
        if file.parent.name == "targets" and file.stat().st_mode & stat.S_IROTH:
            raise ConfigurationError(f"{file} is a secret and world-readable; run `chmod 600 {file}`")
        return file.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read the secret in {file}: not UTF-8 text") from None
    except OSError:
        return ""
