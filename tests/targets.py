"""Configuration files with targets of deliveries."""

from pathlib import Path

from daemon.demo.embedded_mongo import free_port
from tests.daemon.config.test_targets import SECRET


def configure(folder: Path, secret: str = SECRET, **urls: str) -> Path:
    """Write a configuration with a target for each URL: a webhook for http://, else a person; return the file."""
    file = folder / "config.toml"
    (folder / "targets").mkdir(mode=0o700, exist_ok=True)
    lines = []
    for name, url in urls.items():
        is_webhook = url.startswith("http")
        lines.append(f'[webhooks.{name}]\nurl = "{url}"\n' if is_webhook else f'[notify.{name}]\nquiet = ""\n')
        write_secret(file, name, secret if is_webhook else url)
    file.write_text("".join(lines))
    return file


def write_secret(file: Path, name: str, text: str) -> None:
    """Write the secret of a target beside a configuration file."""
    secret = file.parent / "targets" / name
    secret.touch(mode=0o600)
    secret.write_text(text)


def unreachable(folder: Path) -> Path:
    """Write a configuration with a webhook on which no server listens."""
    return configure(folder, n8n=f"http://127.0.0.1:{free_port()}/hook")
