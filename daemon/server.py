"""The HTTP server: metrics, health and readiness on loopback. Reads the progress record, touches no database."""

import socket
import threading
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from daemon import clock
from daemon.config import Http
from daemon.errors import ConfigurationError
from daemon.metrics import REGISTRY
from daemon.progress import Progress
from daemon.traffic import Traffic


def application(progress: Progress) -> FastAPI:
    """The routes. `/healthz` fails when a part stopped getting on, `/readyz` also while it is not yet following."""
    app = FastAPI(title="chatello-analytics", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Traffic)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        return verdict(progress.stalled(clock.monotonic()), progress)

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        return verdict(progress.not_ready(clock.monotonic()), progress)

    return app


def verdict(problems: list[str], progress: Progress) -> JSONResponse:
    body: dict[str, Any] = {"ok": not problems, "role": progress.role, "problems": problems}
    return JSONResponse(body, 200 if not problems else 503, {"Cache-Control": "no-store"})


def listen(config: Http) -> socket.socket:
    """The bound socket; raises ConfigurationError when the address cannot be had."""
    try:
        return socket.create_server((config.host, config.port))
    except OSError as error:
        raise ConfigurationError(
            f"http.port: cannot listen on {config.host}:{config.port} ({error.strerror}); "
            "set CHATELLO_HTTP__PORT or [http] port to a free one"
        ) from None


def serve(app: FastAPI, listening: socket.socket, stop: threading.Event) -> None:
    """Serve until told to stop; in a thread of its own uvicorn leaves signals alone."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
    watcher = threading.Thread(target=_stop_with, args=(server, stop), name="http-stop", daemon=True)
    watcher.start()
    server.run(sockets=[listening])


def _stop_with(server: uvicorn.Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True
