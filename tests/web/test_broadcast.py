"""The live event feed: each event once and in order, resumable without gaps, no delay for a stop."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx2
import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.mongo.types import Database
from daemon.store import events as store
from daemon.store.events import EventFeedItem
from daemon.web import broadcast
from daemon.web.broadcast import MAX_MISSED, MAX_SUBSCRIBERS, EventBroadcaster, FeedMessage, catch_up
from tests import shop
from tests.system.test_process import ready
from tests.web.conftest import Serve

STREAM = "/api/events/stream"


class Message(NamedTuple):
    id: str
    kind: str
    data: dict[str, Any]


class Listener:
    """A client of the stream in its own thread."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.received: list[Message] = []
        self.status = 0
        self.ended = threading.Event()
        self._disconnect = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(url, headers), daemon=True)
        self._thread.start()

    def _listen(self, url: str, headers: dict[str, str]) -> None:
        try:
            with httpx2.stream("GET", url, headers=headers, timeout=60) as answer:
                self.status = answer.status_code
                fields: dict[str, str] = {}
                for line in answer.iter_lines():
                    if self._disconnect.is_set():
                        return
                    name, _, value = line.partition(": ")
                    if line:
                        fields[name] = value
                    else:
                        if fields.get("event", "ping") != "ping":
                            self.received.append(Message(fields["id"], fields["event"], json.loads(fields["data"])))
                        fields = {}
        except httpx2.HTTPError:
            pass
        finally:
            self.ended.set()

    def descriptions(self, *kinds: str) -> list[str]:
        kinds = kinds or ("business_event",)
        return [message.data.get("description", message.kind) for message in self.received if message.kind in kinds]

    def disconnect(self) -> None:
        """Disconnect when the next line arrives."""
        self._disconnect.set()


@contextmanager
def listening(http_client: httpx2.Client, count: int = 1, after: str | None = None) -> Iterator[list[Listener]]:
    """Connect clients and wait until each has received the position or a reset."""
    headers = {"Last-Event-ID": after} if after is not None else {}
    made = [Listener(f"{http_client.base_url}{STREAM}", headers) for _ in range(count)]
    try:
        wait_for(lambda: all(one.descriptions("position", "reset") for one in made), "the stream's position")
        yield made
    finally:
        for one in made:
            one.disconnect()


def create_event(db: Database, description: str, **more: Any) -> Any:
    event = {"event_type": "maintenance", "event_date": clock.now(), "description": description, **more}
    return db.business_events.insert_one(event).inserted_id


def received_event(listener: Listener, description: str) -> Callable[[], bool]:
    return lambda: description in listener.descriptions()


def test_an_event_reaches_all_clients_within_a_second_in_the_format_of_the_list(
    http_client: httpx2.Client, database: Database
) -> None:
    name = "<script>\u202e\nA"
    with listening(http_client, 3) as clients:
        began = clock.monotonic()
        made = create_event(database, "uno", metadata={"customer_name": name}, amount=float("nan"))
        wait_for(lambda: all("uno" in client.descriptions() for client in clients), "the event", 5)
        took = clock.monotonic() - began
        message = next(one for one in clients[0].received if one.kind == "business_event")

    assert took < 1
    assert message.data == http_client.get("/api/get_recent_events").json()["events"][0]
    assert message.data["id"] == str(made)
    assert message.data["customer_name"] == "<script> A"


def test_a_withdrawn_event_is_reported(http_client: httpx2.Client, database: Database) -> None:
    with listening(http_client) as [client]:
        made = create_event(database, "doppio")
        wait_for(received_event(client, "doppio"), "the event")
        database.business_events.delete_one({"_id": made})
        wait_for(lambda: bool(client.descriptions("withdrawn")), "the withdrawal")

    assert [one.data for one in client.received if one.kind == "withdrawn"] == [{"id": str(made)}]


def test_a_reconnecting_client_receives_what_it_missed_and_nothing_twice(
    http_client: httpx2.Client, database: Database
) -> None:
    with listening(http_client) as [first]:
        for number in range(3):
            create_event(database, f"e{number}")
        wait_for(received_event(first, "e2"), "the events")
        seen = next(one.id for one in first.received if one.data.get("description") == "e0")
        first.disconnect()
        create_event(database, "weg")
        assert first.ended.wait(10)
    for number in range(3, 6):
        create_event(database, f"e{number}")
    with listening(http_client, after=seen) as [back]:
        create_event(database, "e6")
        wait_for(received_event(back, "e6"), "the next event")

    assert [descriptions for descriptions in back.descriptions() if descriptions != "weg"] == [
        f"e{number}" for number in range(1, 7)
    ]
    assert back.descriptions("reset") == []


def test_missed_events_do_not_contain_a_name_erased_since(http_client: httpx2.Client, database: Database) -> None:
    with listening(http_client) as [first]:
        create_event(database, "inizio")
        made = create_event(database, "Nuovo cliente: Mario Rossi", metadata={"customer_name": "Mario Rossi"})
        gone = create_event(database, "Pagamento ricevuto da Mario Rossi")
        wait_for(received_event(first, "Pagamento ricevuto da Mario Rossi"), "the events")
        seen = first.received[1].id
    redacted = {"description": "Nuovo cliente: cliente rimosso", "metadata": {"customer_name": "cliente rimosso"}}
    database.business_events.update_one({"_id": made}, {"$set": redacted})
    database.business_events.delete_one({"_id": gone})
    with listening(http_client, after=seen) as [back]:
        create_event(database, "poi")
        wait_for(received_event(back, "poi"), "the next event")

    assert back.descriptions() == ["Nuovo cliente: cliente rimosso", "poi"]
    assert "Mario" not in str(back.received)
    assert back.descriptions("withdrawn", "reset") == ["withdrawn"]


def test_a_client_that_resumes_while_another_is_connected_receives_what_it_missed(
    http_client: httpx2.Client, database: Database
) -> None:
    with listening(http_client) as [first]:
        for number in range(5):
            create_event(database, f"e{number}")
        wait_for(received_event(first, "e4"), "the events")
        seen = first.received[1].id
        with listening(http_client, after=seen) as [second]:
            create_event(database, "e5")
            wait_for(received_event(second, "e5"), "the next event")
            wait_for(received_event(first, "e5"), "the next event")

    assert second.descriptions() == ["e1", "e2", "e3", "e4", "e5"]
    assert first.descriptions() == ["e0", "e1", "e2", "e3", "e4", "e5"]


def test_an_invalid_last_event_id_is_a_reset_and_the_stream_continues(
    http_client: httpx2.Client, database: Database
) -> None:
    for odd in ("x", "82", "82" + "F" * 40, "82000000012B022C0100296E5A1004", "82" + "0" * 5000, "<script>"):
        with listening(http_client, after=odd) as [client]:
            create_event(database, f"dopo {odd[:9]}")
            wait_for(received_event(client, f"dopo {odd[:9]}"), odd[:9])
            assert client.descriptions("reset") == ["reset"], odd[:9]


def test_too_long_an_absence_is_a_reset(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "CATCH_UP_SECONDS", 60)
    create_event(database, "erste")
    stop = threading.Event()
    tokens = store.follow(database, None, stop)
    after = next(tokens).token
    database.business_events.insert_many({"description": str(number)} for number in range(MAX_MISSED + 10))
    until = ""
    for step in tokens:
        if step.document is None and until:
            break
        until = step.token if step.document is not None else until
    messages = list(catch_up(database, after, until, stop))

    assert [one.kind for one in messages[:MAX_MISSED]] == ["business_event"] * MAX_MISSED
    assert messages[-1] == FeedMessage(until, "reset")


def test_the_number_of_clients_is_limited_and_a_disconnected_one_frees_its_place(
    http_client: httpx2.Client, database: Database
) -> None:
    with listening(http_client, MAX_SUBSCRIBERS) as clients:
        refused = http_client.get(STREAM)
        assert (refused.status_code, refused.json()["success"]) == (503, False)
        assert "chatello_analytics_http_stream_clients 20.0" in http_client.get("/metrics").text
        clients[0].disconnect()
        create_event(database, "via")
        assert clients[0].ended.wait(10)
        wait_for(lambda: "http_stream_clients 19.0" in http_client.get("/metrics").text, "the place to be free")
        with listening(http_client):
            pass


def test_without_clients_no_change_stream_is_open(http_client: httpx2.Client, database: Database) -> None:
    with listening(http_client) as [client]:
        assert streams(database) == 1
        with listening(http_client, 3):
            assert streams(database) == 1
        client.disconnect()
        create_event(database, "via")
        wait_for(lambda: "http_stream_clients 0.0" in http_client.get("/metrics").text, "all clients to disconnect")

    wait_for(lambda: streams(database) == 0, "the stream to end")


def streams(db: Database) -> int:
    """Return the number of change streams open on this test's database, as listed by $currentOp."""
    operations = shop.operations(db, {"$currentOp": {"idleCursors": True, "allUsers": True}})
    return sum(1 for one in operations if one.get("ns") == f"{db.name}.business_events" and "cursor" in one)


def test_a_client_that_does_not_read_is_disconnected_at_the_queue_limit(mongo_uri: str, database: Database) -> None:
    import asyncio

    async def run() -> tuple[int, bool]:
        broadcaster = EventBroadcaster(database)
        subscriber = broadcaster.subscribe()
        await asyncio.to_thread(create_event, database, "uno")
        position = await subscriber.next(30)
        assert position is not None and position.kind == "position"
        for number in range(broadcast.MAX_QUEUED + 50):
            subscriber.put(FeedMessage(f"{number}", "business_event", {}))
        await asyncio.sleep(0)
        queued = len(subscriber._queue)
        broadcaster.unsubscribe(subscriber)
        return queued, subscriber.is_closed

    queued, is_closed = asyncio.run(run())

    assert (queued <= broadcast.MAX_QUEUED, is_closed) == (True, True)


def test_open_streams_end_with_the_daemon_and_delay_it_less_than_two_seconds(
    mongo_uri: str, database: Database
) -> None:
    with shop.process(mongo_uri, database.name) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        with (
            httpx2.Client(base_url=f"http://127.0.0.1:{daemon.port}") as http_client,
            listening(http_client, 2) as clients,
        ):
            customer = shop.customer(database, "Ada")
            wait_for(
                lambda: any("Ada" in descriptions for descriptions in clients[0].descriptions()), "the customer's event"
            )
            began = clock.monotonic()
            daemon.send(signal.SIGTERM)
            for client in clients:
                assert client.ended.wait(2)
            ended = clock.monotonic() - began
            assert daemon.wait(10) == 0
        lines = "".join(daemon.lines)

    assert ended < 2
    assert isinstance(customer, ObjectId)
    assert "Traceback" not in lines and '"error"' not in lines


def test_the_feed_continues_after_a_database_restart(serve: Serve, tmp_path: Any) -> None:
    with EmbeddedMongo() as mongo:
        client: MongoClient[dict[str, Any]]
        with MongoClient(mongo.uri, tz_aware=True, serverSelectionTimeoutMS=2000) as client:
            db: Database = client.get_database("x")
            with serve(served_database=db) as http_client, listening(http_client) as [listener]:
                create_event(db, "prima")
                wait_for(received_event(listener, "prima"), "the event")
                member = mongo.primary()
                mongo.kill(member)
                mongo.start(member)
                wait_for(lambda: _try_create(db), "the server to be back")
                wait_for(received_event(listener, "dopo"), "the event after it", 60)

    assert listener.descriptions().count("prima") == 1


def test_a_client_receives_what_was_written_while_the_database_was_away_for_several_attempts(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str | None] = []
    follow = store.follow
    monkeypatch.setattr(broadcast, "REOPEN_SECONDS", 0.2)

    def counted(db: Database, after: str | None, stop: threading.Event) -> Iterator[EventFeedItem]:
        attempts.append(after)
        return follow(db, after, stop)

    monkeypatch.setattr(store, "follow", counted)
    with EmbeddedMongo() as mongo:
        client: MongoClient[dict[str, Any]]
        with MongoClient(mongo.uri, tz_aware=True, serverSelectionTimeoutMS=300) as client:
            db: Database = client.get_database("x")
            with serve(served_database=db) as http_client, listening(http_client) as [listener]:
                create_event(db, "prima")
                wait_for(received_event(listener, "prima"), "the event")
                member = mongo.primary()
                mongo.kill(member)
                before = len(attempts)
                wait_for(lambda: len(attempts) > before + 3, "several attempts")
                mongo.start(member)
                wait_for(lambda: _try_create(db), "the server to be back")
                wait_for(received_event(listener, "dopo"), "the event after it", 60)

    assert None not in attempts[before:]
    assert listener.descriptions("business_event", "reset") == ["prima", "dopo"]


def _try_create(db: Database) -> bool:
    try:
        create_event(db, "dopo")
    except PyMongoError:
        return False
    return True
