"""Puts the doors together: routes inside, armour and gate around them."""

from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from daemon.traffic import Traffic
from daemon.web import api, docs, failures, page, vitals
from daemon.web.armour import Bounds, Dress
from daemon.web.gate import Gate
from daemon.web.house import House

STATIC = Path(__file__).parent / "static"

ABOUT = """Business events and the analytics table of the shop.

Reading is free on the machine itself; writing needs the token of the credential `http-token`, as a bearer token or as
the password of HTTP Basic. Whatever is refused is answered with `{"success": false, "error": "one sentence"}`.
"""


def site(house: House) -> ASGIApp:
    """The application as the server serves it. Traffic counts what was refused too."""
    return Traffic(Dress(Gate(Bounds(routes(house)), house.config().http)))


def routes(house: House) -> FastAPI:
    app = FastAPI(
        title="chatello-analytics",
        version=version("chatello-analytics"),
        description=ABOUT,
        openapi_url=docs.OPENAPI,
        docs_url=None,
        redoc_url=None,
    )
    failures.install(app)
    app.include_router(vitals.router(house.progress))
    app.include_router(api.router(house))
    app.include_router(docs.router())
    app.include_router(page.router(house))
    app.mount(docs.ASSETS, docs.assets())
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
