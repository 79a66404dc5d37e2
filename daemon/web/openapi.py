"""`/docs`: interactive API documentation by a packaged Swagger UI, without requests to other origins."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from daemon.web.page.assets import Assets, asset_url, digest_query

OPENAPI = "/openapi.json"
ASSETS = "/docs/assets"

CACHE = "private, max-age=3600"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>chatello-analytics API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{css}">
<script src="{bundle}" defer></script>
<script src="{start}" defer></script>
</head>
<body>
<div id="docs"><p>OpenAPI document: <a href="{openapi}">{openapi}</a></p></div>
</body>
</html>
"""


def router() -> APIRouter:
    css, bundle = (_asset_url(name) for name in ("swagger-ui.css", "swagger-ui-bundle.js"))
    page = PAGE.format(css=css, bundle=bundle, start=asset_url("docs.js"), openapi=OPENAPI)
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Cache-Control": CACHE})

    return routes


def _asset_url(name: str) -> str:
    return f"{ASSETS}/{name}?{digest_query(_folder() / name)}"


def assets() -> Assets:
    """Serve the Swagger UI files of the package fastapi-offline; its code is not used."""
    return Assets(_folder())


def _folder() -> Path:
    found = find_spec("fastapi_offline")
    assert found is not None and found.submodule_search_locations, "fastapi-offline is a dependency"
    return Path(found.submodule_search_locations[0]) / "static"
