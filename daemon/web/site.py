"""Puts the doors together: routes inside, armour and gate around them."""

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from daemon.traffic import Traffic
from daemon.web import failures, page, vitals
from daemon.web.armour import Bounds, Dress
from daemon.web.gate import Gate
from daemon.web.house import House

STATIC = Path(__file__).parent / "static"


def site(house: House) -> ASGIApp:
    """The application as the server serves it. Traffic counts what was refused too."""
    return Traffic(Dress(Gate(Bounds(routes(house)), house.config().http)))


def routes(house: House) -> FastAPI:
    app = FastAPI(title="chatello-analytics", docs_url=None, redoc_url=None, openapi_url=None)
    failures.install(app)
    app.include_router(vitals.router(house.progress))
    app.include_router(page.router(house))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
