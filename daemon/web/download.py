"""A file as it is made. Who goes away midway has the rest of it closed at once, not whenever memory is tidied up."""

from collections.abc import Generator
from itertools import chain, islice

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Download(StreamingResponse):
    """The first piece is made at once: what fails is better told before an answer begins."""

    def __init__(self, pieces: Generator[bytes, None, None], name: str, media_type: str) -> None:
        begun = list(islice(pieces, 1))
        named = {"Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(chain(begun, pieces), media_type=media_type, headers=named)
        self.pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(self.pieces.close)
