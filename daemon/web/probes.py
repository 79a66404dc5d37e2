"""`/metrics`, `/healthz`, `/readyz`: read from `Health`, never from the database.

They run in the event loop itself, so that requests blocked by a silent database do not delay them.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from daemon import clock
from daemon.runtime.health import Health
from daemon.runtime.metrics import REGISTRY


def router(health: Health) -> APIRouter:
    """Return the probe routes.

    `/healthz` fails if a component makes no progress, `/readyz` also if the role is not leader or standby.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/healthz")
    async def healthz(request: Request) -> JSONResponse:
        return probe_response(request, health.stalled(clock.monotonic()), health)

    @routes.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        return probe_response(request, health.not_ready(clock.monotonic()), health)

    return routes


def probe_response(request: Request, problems: list[str], health: Health) -> JSONResponse:
    """Return 200 or 503; the problems, which may name servers, are shown to local clients only."""
    shown = problems if request.scope["is_local"] else []
    return JSONResponse({"ok": not problems, "role": health.role, "problems": shown}, 503 if problems else 200)
