"""Metrics, health and readiness: read from the progress record, never from the database.

They run in the event loop itself: a database that does not answer keeps threads waiting, but nobody who asks for these.
"""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from daemon import clock
from daemon.metrics import REGISTRY
from daemon.progress import Progress


def router(progress: Progress) -> APIRouter:
    """`/healthz` fails when a part stopped getting on, `/readyz` also while it is not yet following."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/healthz")
    async def healthz() -> JSONResponse:
        return verdict(progress.stalled(clock.monotonic()), progress)

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        return verdict(progress.not_ready(clock.monotonic()), progress)

    return routes


def verdict(problems: list[str], progress: Progress) -> JSONResponse:
    body: dict[str, Any] = {"ok": not problems, "role": progress.role, "problems": problems}
    return JSONResponse(body, 200 if not problems else 503)
