"""Events live: told once, in order, resumed without a hole, and never in the way of a stop."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.mongo.types import Database
from daemon.store import events as store
from daemon.web import broadcast
from daemon.web.broadcast import MOST_CLIENTS, MOST_MISSED, EventBroadcaster, FeedMessage, missed
from tests import shop
from tests.system.test_process import ready
from tests.web.conftest import Doors

STREAM = "/api/events/stream"


class Message(NamedTuple):
    id: str
    kind: str
    data: dict[str, Any]


class Listener:
    """A client of the stream, in a thread of its own."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.heard: list[Message] = []
        self.status = 0
        self.ended = threading.Event()
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(url, headers), daemon=True)
        self._thread.start()

    def _listen(self, url: str, headers: dict[str, str]) -> None:
        try:
            with httpx.stream("GET", url, headers=headers, timeout=60) as answer:
                self.status = answer.status_code
                fields: dict[str, str] = {}
                for line in answer.iter_lines():
                    if self._leave.is_set():
                        return
                    name, _, value = line.partition(": ")
                    if line:
                        fields[name] = value
                    elif "event" in fields:
                        self.heard.append(Message(fields["id"], fields["event"], json.loads(fields["data"])))
                        fields = {}
        except httpx.HTTPError:
            pass
        finally:
            self.ended.set()

    def said(self, *kinds: str) -> list[str]:
        kinds = kinds or ("business_event",)
        return [message.data.get("description", message.kind) for message in self.heard if message.kind in kinds]

    def leave(self) -> None:
        """Goes with the next line heard."""
        self._leave.set()


@contextmanager
def listening(door: httpx.Client, count: int = 1, after: str | None = None) -> Iterator[list[Listener]]:
    """Clients of the stream that know where it stands."""
    headers = {"Last-Event-ID": after} if after is not None else {}
    made = [Listener(f"{door.base_url}{STREAM}", headers) for _ in range(count)]
    try:
        wait_for(lambda: all(one.said("position", "reset") for one in made), "the stream's position")
        yield made
    finally:
        for one in made:
            one.leave()


def tell(db: Database, description: str, **more: Any) -> Any:
    event = {"event_type": "maintenance", "event_date": clock.now(), "description": description, **more}
    return db.business_events.insert_one(event).inserted_id


def heard(listener: Listener, description: str) -> Callable[[], bool]:
    return lambda: description in listener.said()


def test_an_event_is_told_to_everybody_within_a_second_and_in_the_lists_own_shape(
    door: httpx.Client, database: Database
) -> None:
    name = "<script>\u202e\nA"
    with listening(door, 3) as clients:
        told_at = clock.monotonic()
        made = tell(database, "uno", metadata={"customer_name": name}, amount=float("nan"))
        wait_for(lambda: all("uno" in client.said() for client in clients), "the event", 5)
        took = clock.monotonic() - told_at
        message = next(one for one in clients[0].heard if one.kind == "business_event")

    assert took < 1
    assert message.data == door.get("/api/get_recent_events").json()["events"][0]
    assert message.data["id"] == str(made)
    assert message.data["customer_name"] == "<script> A"


def test_an_event_taken_back_is_told_too(door: httpx.Client, database: Database) -> None:
    with listening(door) as [client]:
        made = tell(database, "doppio")
        wait_for(heard(client, "doppio"), "the event")
        database.business_events.delete_one({"_id": made})
        wait_for(lambda: bool(client.said("withdrawn")), "the withdrawal")

    assert [one.data for one in client.heard if one.kind == "withdrawn"] == [{"id": str(made)}]


def test_who_comes_back_hears_what_it_missed_and_nothing_twice(door: httpx.Client, database: Database) -> None:
    with listening(door) as [first]:
        for number in range(3):
            tell(database, f"e{number}")
        wait_for(heard(first, "e2"), "the events")
        seen = next(one.id for one in first.heard if one.data.get("description") == "e0")
        first.leave()
        tell(database, "weg")
        assert first.ended.wait(10)
    for number in range(3, 6):
        tell(database, f"e{number}")
    with listening(door, after=seen) as [back]:
        tell(database, "e6")
        wait_for(heard(back, "e6"), "the next event")

    assert [said for said in back.said() if said != "weg"] == [f"e{number}" for number in range(1, 7)]
    assert back.said("reset") == []


def test_what_was_missed_is_told_without_the_name_that_was_forgotten_since(
    door: httpx.Client, database: Database
) -> None:
    with listening(door) as [first]:
        tell(database, "inizio")
        made = tell(database, "Nuovo cliente: Mario Rossi", metadata={"customer_name": "Mario Rossi"})
        gone = tell(database, "Pagamento ricevuto da Mario Rossi")
        wait_for(heard(first, "Pagamento ricevuto da Mario Rossi"), "the events")
        seen = first.heard[1].id
    forgotten = {"description": "Nuovo cliente: cliente rimosso", "metadata": {"customer_name": "cliente rimosso"}}
    database.business_events.update_one({"_id": made}, {"$set": forgotten})
    database.business_events.delete_one({"_id": gone})
    with listening(door, after=seen) as [back]:
        tell(database, "poi")
        wait_for(heard(back, "poi"), "the next event")

    assert back.said() == ["Nuovo cliente: cliente rimosso", "poi"]
    assert "Mario" not in str(back.heard)
    assert back.said("withdrawn", "reset") == ["withdrawn"]


def test_who_joins_while_others_listen_hears_what_it_missed(door: httpx.Client, database: Database) -> None:
    with listening(door) as [first]:
        for number in range(5):
            tell(database, f"e{number}")
        wait_for(heard(first, "e4"), "the events")
        seen = first.heard[1].id
        with listening(door, after=seen) as [second]:
            tell(database, "e5")
            wait_for(heard(second, "e5"), "the next event")
            wait_for(heard(first, "e5"), "the next event")

    assert second.said() == ["e1", "e2", "e3", "e4", "e5"]
    assert first.said() == ["e0", "e1", "e2", "e3", "e4", "e5"]


def test_an_id_nobody_gave_is_a_reset_and_the_stream_goes_on(door: httpx.Client, database: Database) -> None:
    for odd in ("x", "82", "82" + "F" * 40, "82000000012B022C0100296E5A1004", "82" + "0" * 5000, "<script>"):
        with listening(door, after=odd) as [client]:
            tell(database, f"dopo {odd[:9]}")
            wait_for(heard(client, f"dopo {odd[:9]}"), odd[:9])
            assert client.said("reset") == ["reset"], odd[:9]


def test_too_long_an_absence_is_a_reset(database: Database) -> None:
    tell(database, "erste")
    stop = threading.Event()
    tokens = store.follow(database, None, stop)
    after = next(tokens).token
    database.business_events.insert_many({"description": str(number)} for number in range(MOST_MISSED + 10))
    until = ""
    for step in tokens:
        if step.document is None and until:
            break
        until = step.token if step.document is not None else until
    told = list(missed(database, after, until, stop))

    assert [one.kind for one in told[:MOST_MISSED]] == ["business_event"] * MOST_MISSED
    assert told[-1] == FeedMessage(until, "reset")


def test_more_than_so_many_may_not_listen_and_a_place_left_is_free_again(
    door: httpx.Client, database: Database
) -> None:
    with listening(door, MOST_CLIENTS) as clients:
        refused = door.get(STREAM)
        assert (refused.status_code, refused.json()["success"]) == (503, False)
        assert "chatello_analytics_http_stream_clients 20.0" in door.get("/metrics").text
        clients[0].leave()
        tell(database, "via")
        assert clients[0].ended.wait(10)
        wait_for(lambda: "http_stream_clients 19.0" in door.get("/metrics").text, "the place to be free")
        with listening(door):
            pass


def test_nobody_listening_costs_the_database_nothing(door: httpx.Client, database: Database) -> None:
    with listening(door) as [client]:
        assert streams(database) == 1
        with listening(door, 3):
            assert streams(database) == 1
        client.leave()
        tell(database, "via")
        wait_for(lambda: "http_stream_clients 0.0" in door.get("/metrics").text, "everybody to leave")

    wait_for(lambda: streams(database) == 0, "the stream to end")


def streams(db: Database) -> int:
    """Change streams open on this test's database, as the server tells."""
    operations = db.client.admin.aggregate([{"$currentOp": {"idleCursors": True, "allUsers": True}}])
    return sum(1 for one in operations if one.get("ns") == f"{db.name}.business_events" and "cursor" in one)


def test_a_client_that_takes_nothing_is_let_go_and_bounded(mongo_uri: str, database: Database) -> None:
    import asyncio

    async def scene() -> tuple[int, bool]:
        feed = EventBroadcaster(database)
        client = feed.join()
        await asyncio.to_thread(tell, database, "uno")
        position = await client.next(30)
        assert position is not None and position.kind == "position"
        for number in range(broadcast.MOST_WAITING + 50):
            client.put(FeedMessage(f"{number}", "business_event", {}))
        await asyncio.sleep(0)
        waiting = len(client._waiting)
        feed.leave(client)
        return waiting, client.is_over

    waiting, is_over = asyncio.run(scene())

    assert (waiting <= broadcast.MOST_WAITING, is_over) == (True, True)


def test_open_streams_end_with_the_daemon_and_delay_it_less_than_two_seconds(
    mongo_uri: str, database: Database
) -> None:
    with shop.process(mongo_uri, database.name) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        with httpx.Client(base_url=f"http://127.0.0.1:{daemon.port}") as door, listening(door, 2) as clients:
            customer = shop.customer(database, "Ada")
            wait_for(lambda: any("Ada" in said for said in clients[0].said()), "the customer's event")
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


def test_the_feed_goes_on_after_the_server_was_away(doors: Doors, tmp_path: Any) -> None:
    with EmbeddedMongo() as mongo:
        client: MongoClient[dict[str, Any]]
        with MongoClient(mongo.uri, tz_aware=True, serverSelectionTimeoutMS=2000) as client:
            db: Database = client.get_database("x")
            with doors(of=db) as door, listening(door) as [listener]:
                tell(db, "prima")
                wait_for(heard(listener, "prima"), "the event")
                member = mongo.primary()
                mongo.kill(member)
                mongo.start(member)
                wait_for(lambda: _told(db), "the server to be back")
                wait_for(heard(listener, "dopo"), "the event after it", 60)

    assert listener.said().count("prima") == 1


def _told(db: Database) -> bool:
    try:
        tell(db, "dopo")
    except PyMongoError:
        return False
    return True
