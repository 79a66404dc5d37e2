"""HEAD for every route that supports GET."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Serves HEAD as GET without the body (RFC 9110, 9.3.2); an endless response ends after its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        inner, started = {**scope, "method": "GET"}, anyio.Event()

        async def receive_disconnect() -> Message:
            await started.wait()
            return {"type": "http.disconnect"}

        async def send_start(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["route"] = inner.get("route")
                await send(message)
                started.set()

        await self.app(inner, receive_disconnect, send_start)
        await send({"type": "http.response.body"})
