"""The HTTP API in the dashboard's JSON format. The dashboard's own paths keep working; new ones follow its style."""

from fastapi import APIRouter

from daemon.web.api import event_stream, events, explain, incidents, ledger, rows
from daemon.web.api.schemas import ERROR_RESPONSES
from daemon.web.broadcast import EventBroadcaster
from daemon.web.context import WebContext


def router(context: WebContext, broadcaster: EventBroadcaster) -> APIRouter:
    """Return the router of all paths under /api."""
    routes = APIRouter(responses=ERROR_RESPONSES)
    for module in (events, rows, ledger, explain, incidents):
        routes.include_router(module.router(context))
    routes.include_router(event_stream.router(context, broadcaster))
    return routes
