"""One marked message that tests a target."""

import uuid
from datetime import UTC

from daemon import clock
from daemon.config.schema import Config
from daemon.delivery.channels import cloud_event
from daemon.delivery.channels.notifier import Notifier
from daemon.delivery.channels.outcome import Outcome
from daemon.delivery.channels.webhook import WebhookSender
from rules.messages.model import Message
from rules.model.events import EventType
from rules.model.facts import EventFact, Fact, FactType
from rules.settings import message_texts

MARK = {"test": 1}


def send(config: Config, name: str) -> Outcome:
    """Send the test message to a configured target. The fact of a webhook has `metadata.test` 1 and a random id."""
    if name in config.notify:
        notifier = Notifier(name, config.notify[name].secret.get_secret_value())
        message = Message(f"test-{uuid.uuid4()}", message_texts.TEST, message_texts.TEST)
        return notifier.send(message)
    webhook = config.webhooks[name]
    subject = EventFact("test", EventType.SUPPORT_TICKET, metadata=MARK)
    fact = Fact(f"test-{uuid.uuid4()}", FactType.EVENT_RECORDED, clock.now().astimezone(UTC), subject)
    sender = WebhookSender(webhook.url.get_secret_value(), webhook.secrets)
    try:
        return sender.send(fact.id, cloud_event.body(fact, config.mongodb.database, config.time.zone))
    finally:
        sender.close()
