"""Checks of the targets before a start. Nothing is sent."""

from collections.abc import Iterator
from pathlib import Path

from daemon.config import target_secrets
from daemon.config.schema import Config
from daemon.delivery.channels.http_client import HttpClient, RequestFailed
from daemon.delivery.channels.notifier import Notifier
from daemon.delivery.channels.outcome import OutcomeKind
from daemon.delivery.channels.send import MAIL_SCHEMES
from daemon.runtime.check_result import CheckResult


def check_targets(config: Config, path: Path) -> Iterator[CheckResult]:
    """Yield one result per target; `path` is the configuration file, which the hints refer to."""
    without_secret = dict(target_secrets.missing(config, path))
    for name in (*config.webhooks, *config.notify):
        if name in without_secret:
            yield CheckResult(f"target {name}", "its secret is missing or not readable", without_secret[name])
        elif name in config.webhooks:
            yield _webhook(name, config.webhooks[name].url.get_secret_value())
        else:
            yield _recipient(name, config.notify[name].secret.get_secret_value())


def _webhook(name: str, url: str) -> CheckResult:
    client = HttpClient(url)
    try:
        client.probe()
    except RequestFailed as failed:
        return CheckResult(f"target {name}", "cannot be reached", str(failed))
    return CheckResult(f"target {name}", f"{client.host} is reached; to send a test message: deliveries test {name}")


def _recipient(name: str, url: str) -> CheckResult:
    outcome = Notifier(name, url).check()
    if outcome.kind is not OutcomeKind.DELIVERED:
        return CheckResult(f"target {name}", "cannot be used", outcome.problem)
    if url.partition("://")[0].lower() in MAIL_SCHEMES:
        return CheckResult(f"target {name}", outcome.answer)
    return CheckResult(f"target {name}", f"{outcome.answer}: deliveries test {name}")
