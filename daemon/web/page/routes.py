"""The pages under `/analytics`, in Italian, for the owner of the business.

Rendered on the server: they work without JavaScript, which only keeps them up to date. One module of `views` has each
page; `texts.NAVIGATION` lists those that the navigation shows.
"""

from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse

from daemon.web.context import WebContext
from daemon.web.page.views import (
    comment_form,
    customers,
    day,
    downloads,
    events,
    months,
    new_event,
    system,
    today,
    trend,
    why,
)
from daemon.web.query_parameters import reject_unknown

VIEWS = (today, trend, customers, events, new_event, why, day, comment_form, months, system, downloads)


def router(context: WebContext) -> APIRouter:
    """Return the routes of the pages; `AccessControl` decides who may read and write."""
    routes = APIRouter(include_in_schema=False)
    routes.add_api_route("/", lambda: RedirectResponse(today.ADDRESS))
    for view in VIEWS:
        routes.include_router(view.router(context), dependencies=[Depends(reject_unknown)])
    return routes
