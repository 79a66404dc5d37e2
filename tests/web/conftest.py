"""The doors, served by the real server on a real socket over a real replica set."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import pytest
import structlog
from pymongo.database import Database

from daemon import clock, logs, server
from daemon.config import Logs
from daemon.embedded import wait_for
from daemon.progress import Progress
from daemon.store import indexes
from daemon.web.house import House
from daemon.web.site import Site
from tests import shop

Db = Database[dict[str, Any]]

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
def doors(mongo_uri: str, database: Db) -> Doors:
    """Serves the doors of this test's database; the client carries the token unless told otherwise."""

    @contextmanager
    def served(
        headers: dict[str, str] = BEARER, of: Db | None = None, role: str = "leader", reason: str = "", **http: Any
    ) -> Iterator[httpx.Client]:
        config = shop.config_for(mongo_uri, database, http={"token": TOKEN, **http})
        indexes.create(database)
        stop, progress = threading.Event(), Progress()
        progress.turn(role, clock.monotonic(), reason)
        listening = server.listen(config.http)
        site = Site(House(database if of is None else of, lambda: config, progress))
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
