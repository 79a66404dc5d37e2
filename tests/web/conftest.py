"""Fixtures: the web application, served by the real server on a real socket over a real replica set."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx2
import pytest
import structlog

from daemon import clock
from daemon.config.active import ActiveConfig
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

Serve = Callable[..., AbstractContextManager[httpx2.Client]]


@pytest.fixture(autouse=True)
def logging() -> Iterator[None]:
    """Log as the daemon does, with tracebacks as text: structlog's default takes half a minute to draw one."""
    logs.set_up(Logs(format="json"))
    structlog.configure(cache_logger_on_first_use=False)  # a cached logger would also serve the tests after this one
    yield
    structlog.reset_defaults()


@pytest.fixture
def serve(mongo_uri: str, database: Database) -> Serve:
    """Serve the web application of this test's database. By default the client sends the token."""

    @contextmanager
    def running(
        headers: dict[str, str] = BEARER,
        served_database: Database | None = None,
        role: str = "leader",
        reason: str = "",
        **http: Any,
    ) -> Iterator[httpx2.Client]:
        config = shop.config_for(mongo_uri, database, http={"token": TOKEN, **http})
        indexes.create(database)
        indexes.create_for_pages(database)
        stop, health = threading.Event(), Health()
        health.set_role(role, clock.monotonic(), reason)
        listening = listener.listen(config.http)
        app = WebApp(WebContext(database if served_database is None else served_database, ActiveConfig(config), health))
        thread = threading.Thread(target=server.serve, args=(app, listening, stop, threading.Event()))
        thread.start()
        with httpx2.Client(base_url=f"http://127.0.0.1:{config.http.port}", headers=headers, timeout=30) as client:
            try:
                wait_for(lambda: client.get("/healthz").status_code == 200, "the server")
                yield client
            finally:
                stop.set()
                thread.join(20)
        assert not thread.is_alive()

    return running


@pytest.fixture
def http_client(serve: Serve) -> Iterator[httpx2.Client]:
    with serve() as client:
        yield client
