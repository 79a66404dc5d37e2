"""File downloads, streamed while the file is generated."""

from collections.abc import Generator
from itertools import chain, islice

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Download(StreamingResponse):
    """Streaming response of a generated file.

    The first chunk is generated in the constructor, so that an error becomes an error response. If the client
    disconnects, the generator is closed at once, not at the next garbage collection.
    """

    def __init__(self, chunks: Generator[bytes, None, None], name: str, media_type: str) -> None:
        first = list(islice(chunks, 1))
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(chain(first, chunks), media_type=media_type, headers=headers)
        self.chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(self.chunks.close)
