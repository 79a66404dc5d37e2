"""The idle server: it stops at once in spite of its long tick, and an error does not make it hang."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from daemon.demo.embedded_mongo import wait_for
from daemon.web import server as web_server
from daemon.web.server import LowWakeupServer


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.sleep(0)


def server_until(stop: threading.Event, closed: threading.Event) -> LowWakeupServer:
    return LowWakeupServer(uvicorn.Config(nothing, log_config=None, lifespan="off", ws="none"), stop, closed.set)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        yield bound


def test_it_stops_at_once_however_long_its_tick(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "TICK_SECONDS", 3600)
    stop, closed = threading.Event(), threading.Event()
    server = server_until(stop, closed)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the server to start")
    stop.set()
    thread.join(30)

    assert not thread.is_alive() and closed.is_set()


def test_an_error_in_the_main_loop_is_raised_and_does_not_hang(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: LowWakeupServer, _counter: int) -> bool:
        raise OSError("on purpose")

    monkeypatch.setattr(LowWakeupServer, "on_tick", broken)
    errors: list[OSError] = []

    def run() -> None:
        try:
            server_until(threading.Event(), threading.Event()).run([listening])
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)

    assert not thread.is_alive() and str(errors[0]) == "on purpose"
