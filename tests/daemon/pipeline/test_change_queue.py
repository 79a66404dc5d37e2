"""The queue between the reader of the stream and the pipeline."""

import threading

import pytest
from bson.timestamp import Timestamp

from daemon.errors import QueueClosed, StreamBroken
from daemon.pipeline.change_queue import ChangeQueue
from daemon.source.stream import StreamItem, StreamPosition

PLACE = StreamPosition({"_data": "8200"}, Timestamp(1, 1))


def test_the_change_queue_keeps_the_order_and_returns_the_items_available() -> None:
    queue = ChangeQueue(10)
    for _ in range(3):
        queue.put(StreamItem(None, PLACE))

    assert len(queue.get_batch(2, 0)) == 2
    assert len(queue.get_batch(2, 0)) == 1
    assert queue.get_batch(2, 0) == []


def test_a_readers_error_is_raised_after_everything_it_had_read() -> None:
    queue = ChangeQueue(10)
    queue.put(StreamItem(None, PLACE))
    queue.fail(StreamBroken("history_lost", "gone"))

    assert len(queue.get_batch(5, 0)) == 1
    with pytest.raises(StreamBroken):
        queue.get_batch(5, 0)


def test_a_full_queue_makes_the_reader_wait_and_a_closed_one_stops_it() -> None:
    queue = ChangeQueue(1)
    queue.put(StreamItem(None, PLACE))
    stopped = threading.Event()

    def put() -> None:
        try:
            queue.put(StreamItem(None, PLACE))
        except QueueClosed:
            stopped.set()

    reader = threading.Thread(target=put)
    reader.start()
    assert len(queue) == 1
    queue.close()
    reader.join(5)
    assert stopped.is_set()
