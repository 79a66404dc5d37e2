"""Run in mq-bridge's environment: read two collections' change streams from its cursors until `count` changes came.

Arguments: connection string, database, folder of the cursors, count, collections. A count of 0 creates the cursors.
"""

import sys
import threading
import time

from mq_bridge import Consumer

MAX_BATCH = 1000


def consumer(uri: str, database: str, folder: str, collection: str) -> Consumer:
    return Consumer.from_config(
        {
            "mongodb": {
                "url": uri,
                "database": database,
                "collection": collection,
                "consume": "capture_new",
                "cursor_id": f"bench_{collection}",
                "checkpoint_store": f"file://{folder}/{collection}.json",
            }
        }
    )


def read(consumer: Consumer, batch_sizes: list[int], count: int) -> None:
    while sum(batch_sizes) < count:
        batch = consumer.poll(max=MAX_BATCH, timeout_ms=500)
        for message in batch:
            message.json()
        batch_sizes.append(len(batch))
        consumer.commit()


def main(uri: str, database: str, folder: str, count: str, *collections: str) -> None:
    consumers = [consumer(uri, database, folder, name) for name in collections]
    wall, cpu = time.perf_counter(), time.process_time()
    batch_sizes: list[int] = []
    threads = [threading.Thread(target=read, args=(one, batch_sizes, int(count) or 1)) for one in consumers]
    for thread in threads:
        thread.start()
    if not int(count):
        print("ready", flush=True)
    for thread in threads:
        thread.join()
    print(f'{{"seconds": {time.perf_counter() - wall}, "cpu_seconds": {time.process_time() - cpu}}}', flush=True)


main(*sys.argv[1:])
