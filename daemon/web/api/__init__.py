"""The HTTP API in the dashboard's JSON shapes. Its old paths keep working; what is new is written the same way."""

from fastapi import APIRouter

from daemon.web.api import event_stream, events, incidents, ledger, rows
from daemon.web.api.schemas import REFUSALS
from daemon.web.broadcast import EventBroadcaster
from daemon.web.context import WebContext


def router(house: WebContext, live: EventBroadcaster) -> APIRouter:
    """All routes under /api."""
    routes = APIRouter(responses=REFUSALS)
    for part in (events, rows, ledger, incidents):
        routes.include_router(part.router(house))
    routes.include_router(event_stream.router(house, live))
    return routes
