"""uvicorn as a daemon needs it that is idle most of its life: it wakes up once a second, and at once when told to stop.

By itself it wakes up ten times a second, which was half of what the whole daemon took while nothing happened.
"""

import asyncio
import threading
from collections.abc import Callable

import uvicorn

TICK_SECONDS = 1.0
"""The `Date` of answers is renewed as often."""


class PatientServer(uvicorn.Server):
    """Serves until `stop` is set; `close` then ends the answers that would never end."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event, close: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._close = close

    async def main_loop(self) -> None:
        stopped = asyncio.ensure_future(asyncio.to_thread(self._stop.wait))
        try:
            while not stopped.done():
                await self.on_tick(0)
                await asyncio.wait((stopped,), timeout=TICK_SECONDS)
        finally:
            self._stop.set()  # whatever ended this, a thread still waits for it, and the loop for the thread
        self._close()
