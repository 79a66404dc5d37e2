"""HEAD for every route that answers GET."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Answers HEAD wherever GET is, without the body (RFC 9110, 9.3.2); an endless one ends before it begins."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        inner, told = {**scope, "method": "GET"}, anyio.Event()

        async def gone() -> Message:
            await told.wait()
            return {"type": "http.disconnect"}

        async def beheaded(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["route"] = inner.get("route")
                await send(message)
                told.set()

        await self.app(inner, gone, beheaded)
        await send({"type": "http.response.body"})
