"""Static files of the page, addressed with a digest of their content: cacheable forever and never outdated."""

import functools
import hashlib
import os
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
CACHE_FOREVER = "public, max-age=31536000, immutable"


def asset_url(name: str) -> str:
    """Return the URL of a file; it changes with the content."""
    return f"/static/{name}?{digest_query(FOLDER / name)}"


@functools.cache
def digest_query(file: Path) -> str:
    return f"v={hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"


class Assets(StaticFiles):
    """Serves the files with an ETag; requests without the current digest must be revalidated each time."""

    def __init__(self, folder: Path = FOLDER) -> None:
        super().__init__(directory=folder)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        current = digest_query(Path(full_path)).encode()
        response.headers["Cache-Control"] = CACHE_FOREVER if scope["query_string"] == current else "no-cache"
        return response
