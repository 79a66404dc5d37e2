"""The HTTP API in the dashboard's JSON shapes. Its old paths keep working; what is new is written the same way."""

from fastapi import APIRouter

from daemon.web.api import books, events, stream, table, troubles
from daemon.web.api.shapes import REFUSALS
from daemon.web.house import House
from daemon.web.live import Live


def router(house: House, live: Live) -> APIRouter:
    """All routes under /api."""
    routes = APIRouter(responses=REFUSALS)
    for part in (events, table, books, troubles):
        routes.include_router(part.router(house))
    routes.include_router(stream.router(house, live))
    return routes
