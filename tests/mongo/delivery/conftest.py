"""A shop with targets: facts in a real outbox, a dispatcher as one term has it, receivers on loopback."""

import base64
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook as Verifier
from werkzeug import Request, Response

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.config.targets import Notify, Webhook
from daemon.delivery.dispatcher import Dispatcher
from daemon.mongo.collections import OUTBOX
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.store import outbox
from rules.model.events import EventType
from rules.model.facts import EventFact, Fact, FactType

NOON = datetime(2026, 11, 26, 11, tzinfo=UTC)
SECRET = f"whsec_{base64.b64encode(os.urandom(32)).decode()}"


class Receiver:
    """A webhook receiver that verifies each request and answers with the status that the test sets (200 by default)."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/hook")
        self.bodies: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.refused: set[str] = set()
        self.before_answer: Callable[[], None] = lambda: None
        server.expect_request("/hook").respond_with_handler(self._handle)

    def _handle(self, request: Request) -> Response:
        verified = Verifier(SECRET).verify(request.get_data(), dict(request.headers))
        self.before_answer()
        status = self.answers.pop(0) if self.answers else 200
        if verified["id"] in self.refused:
            status = 422
        if status < 300:
            self.bodies.append(verified)
        return Response(json.dumps({}), status)

    @property
    def ids(self) -> list[str]:
        return [body["id"] for body in self.bodies]


@pytest.fixture
def receiver(httpserver: HTTPServer) -> Receiver:
    return Receiver(httpserver)


@pytest.fixture
def term(database: Database) -> Iterator[Callable[..., Dispatcher]]:
    """Start the dispatcher of a term with some targets; it ends with the test."""
    with ExitStack() as stack:

        def start(*, epoch: int = 1, now: datetime = NOON, **targets: Webhook | Notify) -> Dispatcher:
            config = Config().model_copy(
                update={
                    "webhooks": {name: one for name, one in targets.items() if isinstance(one, Webhook)},
                    "notify": {name: one for name, one in targets.items() if isinstance(one, Notify)},
                }
            )
            dispatcher = Dispatcher(database, ActiveConfig(config), epoch, Health())
            entered: AbstractContextManager[Dispatcher] = dispatcher
            return stack.enter_context(entered)

        yield start


def webhook(receiver: Receiver, **options: Any) -> Webhook:
    return Webhook.model_validate({"url": receiver.url, "secret": SECRET, **options})


class Outbox:
    """Writes facts as commits do."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.number = 0

    def commit(self, *facts: Fact, at: datetime | None = None) -> None:
        self.number += 1
        self.database[OUTBOX].insert_one(outbox.document(self.number, at or clock.now(), facts))


@pytest.fixture
def written(database: Database) -> Outbox:
    return Outbox(database)


def sold(fact_id: str, kind: EventType = EventType.LICENSE_CREATED) -> Fact:
    return Fact(fact_id, FactType.EVENT_RECORDED, NOON, EventFact(ObjectId(), kind, 1, 2, "pro", 799))
