"""`/docs`: interactive API documentation by a packaged Swagger UI, without requests to other origins."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

OPENAPI = "/openapi.json"
ASSETS = "/docs/assets"

PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>chatello-analytics API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{ASSETS}/swagger-ui.css">
<script src="{ASSETS}/swagger-ui-bundle.js" defer></script>
<script src="/static/docs.js" defer></script>
</head>
<body>
<div id="docs"><p>OpenAPI document: <a href="{OPENAPI}">{OPENAPI}</a></p></div>
</body>
</html>
"""


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    def docs() -> HTMLResponse:
        return HTMLResponse(PAGE)

    return routes


def assets() -> StaticFiles:
    """Serve the Swagger UI files of the package fastapi-offline; its code is not used."""
    found = find_spec("fastapi_offline")
    assert found is not None and found.submodule_search_locations, "fastapi-offline is a dependency"
    return StaticFiles(directory=Path(found.submodule_search_locations[0]) / "static")
