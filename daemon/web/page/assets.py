"""The page's own files, addressed by a digest of what they hold: a browser may keep each, and never has an old one."""

import hashlib
import os
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
KEPT = "public, max-age=31536000, immutable"


def address(name: str) -> str:
    """Where a file is; the address changes with what it holds."""
    return f"/static/{name}?v={hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]}"


class Assets(StaticFiles):
    """Serves them, with an ETag. Without the digest in its address a file is asked for anew each time."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        known = address(Path(full_path).name).partition("?")[2].encode()
        response.headers["Cache-Control"] = KEPT if scope["query_string"] == known else "no-cache"
        return response
