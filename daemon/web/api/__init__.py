"""The HTTP API in the dashboard's JSON format. The dashboard's own paths keep working; new ones follow its style."""

from fastapi import APIRouter, Depends

from daemon.web.api import customers, event_stream, events, explain, goals, incidents, ledger, rows
from daemon.web.api.schemas import ERROR_RESPONSES
from daemon.web.broadcast import EventBroadcaster
from daemon.web.context import WebContext
from daemon.web.query_parameters import reject_unknown


def router(context: WebContext, broadcaster: EventBroadcaster) -> APIRouter:
    """Return the router of all paths under /api."""
    routes = APIRouter(responses=ERROR_RESPONSES)
    for of_dashboard in (events, rows):
        routes.include_router(of_dashboard.router(context))
    for ours in (ledger, customers, explain, goals, incidents):
        routes.include_router(ours.router(context), dependencies=[Depends(reject_unknown)])
    routes.include_router(event_stream.router(context, broadcaster), dependencies=[Depends(reject_unknown)])
    return routes
