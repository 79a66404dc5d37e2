"""The doors, served by the real server on a real socket over a real replica set."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import pytest
import structlog

from daemon import clock
from daemon.config.schema import Logs
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from daemon.runtime import logs
from daemon.runtime.health import Health
from daemon.store import indexes
from daemon.web import listener, server
from daemon.web.app import WebApp
from daemon.web.context import WebContext
from tests import shop

TOKEN = "the-token-of-the-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

Doors = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(autouse=True)
def logging() -> Iterator[None]:
    """As the daemon logs: a traceback as text. The library's default draws one for half a minute."""
    logs.set_up(Logs(format="json"))
    structlog.configure(cache_logger_on_first_use=False)  # a kept one would write for the tests behind it, too
    yield
    structlog.reset_defaults()


@pytest.fixture
def doors(mongo_uri: str, database: Database) -> Doors:
    """Serves the doors of this test's database; the client carries the token unless told otherwise."""

    @contextmanager
    def served(
        headers: dict[str, str] = BEARER,
        of: Database | None = None,
        role: str = "leader",
        reason: str = "",
        **http: Any,
    ) -> Iterator[httpx.Client]:
        config = shop.config_for(mongo_uri, database, http={"token": TOKEN, **http})
        indexes.create(database)
        stop, progress = threading.Event(), Health()
        progress.set_role(role, clock.monotonic(), reason)
        listening = listener.listen(config.http)
        site = WebApp(WebContext(database if of is None else of, lambda: config, progress))
        thread = threading.Thread(target=server.serve, args=(site, listening, stop, threading.Event()))
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{config.http.port}", headers=headers, timeout=30) as client:
            try:
                wait_for(lambda: client.get("/healthz").status_code == 200, "the server")
                yield client
            finally:
                stop.set()
                thread.join(20)
        assert not thread.is_alive()

    return served


@pytest.fixture
def door(doors: Doors) -> Iterator[httpx.Client]:
    with doors() as client:
        yield client
