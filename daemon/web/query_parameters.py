"""Query parameters of our own addresses: one that a route does not know is an error, not silently ignored.

The dashboard's old API paths go on ignoring them, because scripts may send more than they mean.
"""

from http import HTTPStatus

from fastapi import Request
from fastapi.dependencies.models import Dependant

from daemon.web.errors import RequestRejected


def reject_unknown(request: Request) -> None:
    """Reject a request with a query parameter that its route does not declare; for `dependencies` of a router."""
    known = _known(request.scope["route"].dependant)
    if not known.issuperset(request.query_params):
        names = ", ".join(sorted(known)) or "none"
        raise RequestRejected(HTTPStatus.BAD_REQUEST, f"unknown query parameter; this address knows: {names}")


def _known(dependant: Dependant) -> set[str]:
    """Return the names of the query parameters of a route and of what it depends on."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*map(_known, dependant.dependencies))
