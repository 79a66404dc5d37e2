"""Run in mongo-broadcaster's environment: broadcast two collections' changes to a channel that counts them.

Arguments: connection string, database, start (seconds, increment), count, collections.
"""

import asyncio
import sys
import time
from typing import Any

from bson.timestamp import Timestamp
from mongo_broadcaster import BroadcasterConfig, ChangeStreamConfig, CollectionConfig, MongoChangeBroadcaster
from mongo_broadcaster.channels.base import BaseChannel


class Counting(BaseChannel):
    """Counts messages and sets `done` after `count` of them."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.done = asyncio.Event()

    async def connect(self) -> None:
        """Nothing to connect to."""

    async def disconnect(self) -> None:
        """Nothing to disconnect from."""

    async def send(self, recipient: str, message: dict[str, Any]) -> None:
        await self.broadcast(message)

    async def broadcast(self, message: dict[str, Any]) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()


async def run(uri: str, database: str, start: Timestamp, count: int, collections: list[str]) -> None:
    options = {"full_document": "updateLookup", "start_at_operation_time": start}
    watched = [
        CollectionConfig(
            collection_name=name,
            change_stream_config=ChangeStreamConfig(options=options),
            fields_to_watch=["name", "plan_id", "customer_id", "status"],
        )
        for name in collections
    ]
    channel = Counting(count)
    broadcaster = MongoChangeBroadcaster(
        BroadcasterConfig(mongo_uri=uri, collections=watched, default_database=database)
    )
    broadcaster.add_channel(channel)
    wall, cpu = time.perf_counter(), time.process_time()
    await broadcaster.start()
    await channel.done.wait()
    print(f'{{"seconds": {time.perf_counter() - wall}, "cpu_seconds": {time.process_time() - cpu}}}', flush=True)
    await broadcaster.stop()


def main(uri: str, database: str, seconds: str, increment: str, count: str, *collections: str) -> None:
    start = Timestamp(int(seconds), int(increment) + 1)
    asyncio.run(run(uri, database, start, int(count), list(collections)))


main(*sys.argv[1:])
