"""Sistema: what the daemon does, what is missing, and the fix for each problem."""

from fastapi import APIRouter, Response

from daemon.web.context import WebContext
from daemon.web.page.rendering import Renderer

ADDRESS = "/analytics/sistema"


def router(context: WebContext) -> APIRouter:
    renderer, routes = Renderer(context), APIRouter()

    @routes.get(ADDRESS)
    def show() -> Response:
        with renderer.snapshot() as snapshot:
            return renderer.page("system.html", "system", snapshot, {})

    return routes
