"""Metrics, health and readiness: read from the progress record, never from the database.

They run in the event loop itself: a database that does not answer keeps threads waiting, but nobody who asks for these.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from daemon import clock
from daemon.runtime.health import Health
from daemon.runtime.metrics import REGISTRY


def router(progress: Health) -> APIRouter:
    """`/healthz` fails when a part stopped getting on, `/readyz` also while it is not yet following."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/healthz")
    async def healthz(request: Request) -> JSONResponse:
        return probe_response(request, progress.stalled(clock.monotonic()), progress)

    @routes.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        return probe_response(request, progress.not_ready(clock.monotonic()), progress)

    return routes


def probe_response(request: Request, problems: list[str], progress: Health) -> JSONResponse:
    """Reasons may name servers: they are for who is near."""
    shown = problems if request.scope["near"] else []
    return JSONResponse({"ok": not problems, "role": progress.role, "problems": shown}, 503 if problems else 200)
