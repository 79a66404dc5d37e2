"""Number of messages with the name of a customer that targets received before: `forget` cannot take them back."""

from collections.abc import Iterator, Sequence

from daemon.config.schema import Config
from daemon.config.targets import Notify, Webhook
from daemon.delivery import target_store
from daemon.delivery.webhook_worker import is_chosen
from daemon.mongo.types import Database
from daemon.store import outbox
from rules.model.changes import DocId
from rules.model.facts import EventFact, Fact


def count(database: Database, config: Config, customer_ids: Sequence[DocId]) -> dict[str, int]:
    """Return the number of facts about a customer per target that was sent them with names, as far as they are kept."""
    about = list(outbox.read_about(database, customer_ids))
    sent = {}
    for name, target in _named(config):
        record = target_store.load(database, name)
        if record is not None:
            sent[name] = sum(entry.position <= record.position and _is_sent(entry.fact, target) for entry in about)
    return {name: number for name, number in sent.items() if number}


def _named(config: Config) -> Iterator[tuple[str, Webhook | Notify]]:
    yield from ((name, webhook) for name, webhook in config.webhooks.items() if webhook.names)
    yield from config.notify.items()


def _is_sent(fact: Fact, target: Webhook | Notify) -> bool:
    """Return whether a target is sent a fact; the message of the morning contains every event of its day."""
    if isinstance(target, Webhook):
        return is_chosen(fact, target)
    return "day" in target.morning or (isinstance(fact.subject, EventFact) and fact.subject.type in target.now)
