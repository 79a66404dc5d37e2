"""The small parts of the runtime, each on its own: no database, no network."""

import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Decimal128, MaxKey, MinKey, ObjectId
from bson.datetime_ms import DatetimeMS
from bson.timestamp import Timestamp
from pydantic import ValidationError

from daemon.config.loader import explain, load
from daemon.config.schema import Config
from daemon.errors import ConfigurationError, StreamBroken
from daemon.mongo import collections
from daemon.mongo.cluster_time import token_time
from daemon.pipeline.change_queue import ChangeQueue, Closed
from daemon.runtime.health import Health
from daemon.runtime.systemd import notify
from daemon.source import snapshot
from daemon.source.decode import LAST, Decoder
from daemon.source.stream import StreamItem, StreamPosition
from rules.business_days import business_day
from rules.model.changes import Change, Discontinuity, Operation, Source, Undecodable
from rules.model.events import EventType
from rules.settings.catalog import STYLES, TEXTS

PLACE = StreamPosition({"_data": "8200"}, Timestamp(1, 1))
DECODER = Decoder(ZoneInfo("UTC"), "manual@chatello.io")


def test_the_inbox_keeps_order_and_gives_what_is_there() -> None:
    inbox = ChangeQueue(10)
    for _ in range(3):
        inbox.put(StreamItem(None, PLACE))

    assert len(inbox.get_batch(2, 0)) == 2
    assert len(inbox.get_batch(2, 0)) == 1
    assert inbox.get_batch(2, 0) == []


def test_a_readers_error_comes_out_behind_everything_it_had_read() -> None:
    inbox = ChangeQueue(10)
    inbox.put(StreamItem(None, PLACE))
    inbox.fail(StreamBroken("history_lost", "gone"))

    assert len(inbox.get_batch(5, 0)) == 1
    with pytest.raises(StreamBroken):
        inbox.get_batch(5, 0)


def test_a_full_inbox_makes_the_reader_wait_and_a_closed_one_sends_it_home() -> None:
    inbox = ChangeQueue(1)
    inbox.put(StreamItem(None, PLACE))
    sent_home = threading.Event()

    def put() -> None:
        try:
            inbox.put(StreamItem(None, PLACE))
        except Closed:
            sent_home.set()

    reader = threading.Thread(target=put)
    reader.start()
    assert len(inbox) == 1
    inbox.close()
    reader.join(5)
    assert sent_home.is_set()


def test_progress_names_the_room_that_stalls_and_only_a_leader_needs_the_stream() -> None:
    progress = Health()
    progress.set_role("leader", 0)
    progress.heartbeat("scheduler", 0)
    assert progress.stalled(29) == []

    assert [problem.split()[0] for problem in progress.stalled(50)] == ["scheduler", "stream"]
    progress.set_role("standby", 50)
    progress.heartbeat("scheduler", 50)
    assert progress.not_ready(60) == []
    progress.set_role("reconciling", 60, "history_lost")
    assert progress.not_ready(61) == ["reconciling: history_lost"]


def test_notify_speaks_to_abstract_and_path_sockets_and_is_silent_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert notify("READY=1") is False
    for address, shown in ((str(tmp_path / "s"), str(tmp_path / "s")), ("\0chatello-test", "@chatello-test")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(address)
            monkeypatch.setenv("NOTIFY_SOCKET", shown)
            assert notify("READY=1", "STATUS=x") is True
            assert server.recv(100) == b"READY=1\nSTATUS=x"


def test_configuration_comes_from_file_then_credential_then_environment(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[mongodb]\nuri = "mongodb://file"\ndatabase = "from_file"\n[http]\nport = 1\n')
    (tmp_path / "mongodb-uri").write_text("mongodb://credential\n")
    config = load(file, {"CREDENTIALS_DIRECTORY": str(tmp_path), "CHATELLO_HTTP__PORT": "2"})

    assert config.mongodb.uri.get_secret_value() == "mongodb://credential"
    assert (config.mongodb.database, config.http.port) == ("from_file", 2)
    assert "credential" not in repr(config)


def test_a_credential_that_is_empty_is_none_and_one_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    credential = tmp_path / "mongodb-uri"
    credential.write_text("\n")
    assert load(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == Config()
    credential.write_bytes(b"mongodb://canary:\xff")
    with pytest.raises(ConfigurationError) as told:
        load(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert str(credential) in str(told.value)
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[http]\ntoken = "canary-canary-canary"', "http.token"),
        ('[mongodb]\nuri = "mongodb://u:canary@host"', "mongodb.uri"),
    ],
)
def test_a_secret_in_a_file_that_everybody_may_read_is_refused(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match=f"holds {key}, and everybody on this machine may read it") as told:
        load(file, {})
    file.chmod(0o640)

    assert "canary" not in str(told.value)
    assert load(file, {})


LOST = "mongodb://user:canary@host/shop"


@pytest.mark.parametrize(
    "text",
    [
        f'mongodb = "{LOST}"',
        f'[[mongodb]]\nuri = "{LOST}"',
        'http = "canary-canary-canary"',
        f'[mongodb]\ndatabase = "{LOST}"',
        f'[mongodb]\nurl = "{LOST}"',
        f'[http]\nhost = "{LOST}"',
        f'[rules]\nrates = "{LOST}"',
    ],
)
def test_a_secret_in_the_wrong_place_is_a_mistake_and_is_not_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"mongodb|http|rates") as told:
        load(file, {})

    assert "canary" not in str(told.value)


@pytest.mark.parametrize("at", ['"06:00+02:00"', '"25:00"', "600", "true", "[6, 0]"])
def test_the_hour_of_the_rollup_is_one_of_the_clock_on_the_wall(tmp_path: Path, at: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[time]\nrollup_at = {at}")
    with pytest.raises(ConfigurationError, match=r"time\.rollup_at: "):
        load(file, {})


def test_a_list_in_a_variable_is_written_with_commas() -> None:
    config = load(None, {"CHATELLO_HTTP__HOSTS": "a.example, b.example", "CHATELLO_RULES__PLAN_ORDER": "pro,starter"})

    assert config.http.hosts == ("a.example", "b.example")
    assert config.rules.plan_order == ("pro", "starter")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CHATELLO_HTTP__PORT", "0"), ("CHATELLO_LOGS__LEVEL", "loud"), ("CHATELLO_TIME__ZONE", "localtime")],
)
def test_a_wrong_value_names_key_and_value(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        load(None, {variable: value})

    assert variable.removeprefix("CHATELLO_").lower().replace("__", ".") in str(told.value)
    assert repr(value) in str(told.value)


def test_the_shipped_configuration_file_is_the_defaults(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[3] / "deploy" / "config.toml").read_text()
    spoken = tmp_path / "config.toml"
    without_examples = re.sub(r"^# (company_birthday|renamed) = .*$", "", shipped, flags=re.MULTILINE)
    spoken.write_text(
        re.sub(r'^# (?=(\w+|"[^"]+") = )', "", without_examples, flags=re.MULTILINE).replace("{ USD = 0.92 }", "{}")
    )

    assert load(Path("deploy/config.toml"), {}) == Config()
    assert load(spoken, {}) == Config()
    for key in _keys(Config().model_dump()):
        assert re.search(f'^# "?{key}"? = ', shipped, re.MULTILINE), f"{key} is not in deploy/config.toml"


def test_the_rules_of_ones_own_that_the_documentation_shows_are_good_ones(tmp_path: Path) -> None:
    shown = re.findall(r"```toml\n(.*?)```", Path("docs/configuration.md").read_text(), re.DOTALL)
    shown.append(re.sub(r"^# {3}", "", Path("deploy/config.toml").read_text(), flags=re.MULTILINE))
    for number, text in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)

        assert len(load(file, {}).rules.custom) == 1


WRONG_RULES = [
    ({"thresholds": {"custmers": [1]}}, "rules.thresholds.custmers: there is no such setting"),
    ({"thresholds": {"customers": [5, 5]}}, "rules.thresholds: customers must be positive numbers in ascending order"),
    (
        {"thresholds": {"calendar": {"own_dates": {"5-20": "x"}}}},
        'own_dates: wanted "MM-DD", such as "05-20", got \'5-20\'',
    ),
    ({"thresholds": {"calendar": {"own_dates": {"02-30": "x"}}}}, "got '02-30'"),
    ({"thresholds": {"calendar": {"country": "XX"}}}, "calendar.country: wanted a country of the holidays library"),
    ({"thresholds": {"calendar": {"subdivision": "ZZ"}}}, "calendar.subdivision: wanted one of AG, AL, "),
    ({"thresholds": {"calendar": {"language": "tlh"}}}, "calendar.language: wanted one of en_US, it_IT, th, got 'tlh'"),
    ({"thresholds": {"plan_change_minutes": -5}}, "plan_change_minutes must be a number from 0 to 1000000000, got -5"),
    ({"thresholds": {"growth_days": 0}}, "growth_days must be a number from 1 to 36500, got 0"),
    ({"thresholds": {"record_cooldown_days": 10**9}}, "record_cooldown_days must be a number from 0 to 36500"),
    ({"thresholds": {"deviations": float("nan")}}, "deviations must be a number from 0 to"),
    ({"rates": {"USD": -1}}, "rules.rates.USD: Input should be greater than 0, got -1"),
    ({"rates": {"USD": 0}}, "rules.rates.USD: Input should be greater than 0, got 0"),
    ({"texts": {"new_client": "x"}}, "rules.texts: new_client: there is no such key; wanted some of new_customer, "),
    ({"texts": {"new_customer": "Ecco {nome}"}}, "new_customer: wanted a text with no other fields than {name}, got"),
    ({"texts": {"new_customer": " "}}, "new_customer: wanted a text"),
    ({"styles": {"new_custmer": {"rank": 1}}}, "rules.styles: new_custmer: there is no such key"),
    ({"styles": {"new_customer": {"rank": "first"}}}, "rules.styles.new_customer.rank: "),
]


@pytest.mark.parametrize(("rules", "sentence"), WRONG_RULES, ids=str)
def test_a_wrong_rule_names_its_key_its_value_and_what_was_wanted(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as told:
        Config.model_validate({"rules": rules})

    assert sentence in explain(told.value)


def test_what_a_rule_leaves_out_is_as_in_the_house() -> None:
    rules = {
        "styles": {"new_customer": {"rank": 85}},
        "texts": {"best_day": "Che giorno!"},
        "emojis": {"Epifania": "🧹"},
    }
    settings = Config.model_validate({"rules": rules}).settings()

    assert settings.styles[EventType.NEW_CUSTOMER] == STYLES[EventType.NEW_CUSTOMER]._replace(rank=85)
    assert settings.styles[EventType.MAINTENANCE] == STYLES[EventType.MAINTENANCE]
    assert settings.texts == {**TEXTS, "best_day": "Che giorno!"}
    assert (settings.emojis["Epifania"], settings.emojis["Natale"]) == ("🧹", "🎄")


def _keys(values: dict[str, Any]) -> Iterator[str]:
    """The names of all settings; the tables of examples (rates, renamed) end the descent."""
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in ("rates", "renamed"):
            yield from _keys(value)
        else:
            yield key


def event(**more: Any) -> dict[str, Any]:
    return {
        "_id": {"_data": "8265"},
        "operationType": "insert",
        "ns": {"db": "d", "coll": "licenses"},
        "documentKey": {"_id": 1},
        "clusterTime": Timestamp(100, 1),
        "fullDocument": {"_id": 1},
        **more,
    }


def test_an_event_becomes_a_change_dated_by_wall_time_else_by_cluster_time() -> None:
    wall = datetime(2026, 1, 1, tzinfo=UTC)

    assert DECODER.change(event()).at == datetime.fromtimestamp(100, UTC)
    assert DECODER.change(event(wallTime=wall)).at == wall


def test_corners_of_bson_are_rounded_off() -> None:
    found = DECODER.document(
        Source.LICENSES,
        {
            "customer_id": "65F0C0FFEE65F0C0FFEE65F0",
            "plan_id": "pro",
            "expires_at": DatetimeMS(2**60),
            "status": "x" * 10_000,
            "metadata": {"source": "manual_insert", "big": "y" * 10_000},
            "last_check": 1,
        },
    )

    assert found["customer_id"] == ObjectId("65f0c0ffee65f0c0ffee65f0")
    assert found["plan_id"] == "pro"
    assert found["expires_at"] == LAST
    assert len(found["status"]) == 500
    assert found["metadata"] == {"source": "manual_insert"}
    assert "last_check" not in found
    assert DECODER.document(Source.PLANS, {"price": Decimal128("7.99")}) == {"price": Decimal("7.99")}
    assert DECODER.document(Source.PLANS, {"name": Decimal128("7.99")}) == {"name": Decimal128("7.99")}


def test_no_email_but_the_placeholders_is_kept() -> None:
    for email, kept in (("a@b.c", {}), ("manual@chatello.io", {"email": "manual@chatello.io"})):
        assert DECODER.document(Source.CUSTOMERS, {"email": email}) == kept


def test_local_times_are_read_in_their_configured_zone() -> None:
    decoder = Decoder(ZoneInfo("Europe/Rome"), "")
    written = datetime(2026, 7, 1, 12, tzinfo=UTC)

    assert decoder.document(Source.LICENSES, {"expires_at": written})["expires_at"].hour == 10


@pytest.mark.parametrize("zone", ["Europe/Rome", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("edge", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)])
def test_dates_at_the_ends_of_the_calendar_do_no_harm_in_any_zone(zone: str, edge: datetime) -> None:
    decoder = Decoder(ZoneInfo(zone), "")
    told = decoder.external_event({"event_type": "new_customer", "event_date": edge})

    assert isinstance(decoder.document(Source.LICENSES, {"expires_at": edge})["expires_at"], datetime)
    assert business_day(told["event_date"], ZoneInfo(zone)).year in (1970, 9999)


def test_an_update_a_delete_a_drop_and_an_id_that_is_no_value_are_told_apart() -> None:
    described = {"updatedFields": {"status": "x"}, "removedFields": ["plan_id"], "truncatedArrays": None}
    update = DECODER.change(event(operationType="update", updateDescription=described))
    assert isinstance(update, Change)
    assert (update.op, dict(update.fields), update.removed) == (Operation.UPDATE, {"status": "x"}, ("plan_id",))
    delete = DECODER.change(event(operationType="delete"))
    assert isinstance(delete, Change)
    assert delete.op is Operation.DELETE
    assert isinstance(DECODER.change(event(operationType="drop")), Discontinuity)
    assert isinstance(DECODER.change(event(documentKey={"_id": {"$ne": None}})), Undecodable)


def test_a_resume_tokens_time_is_read_from_its_keystring() -> None:
    assert token_time({"_data": "826B04B503000000042B0229296E04"}) == Timestamp(0x6B04B503, 4)
    for odd in (None, {}, {"_data": 5}, {"_data": "83"}, {"_data": "99" * 20}):
        assert token_time(odd) is None


def test_the_same_key_always_makes_the_same_event_id() -> None:
    assert collections.event_id("license_created:1") == collections.event_id("license_created:1")
    assert collections.event_id("license_created:1") != collections.event_id("license_created:2")
    assert collections.event_id("\ud800") is not None


def test_ids_sort_as_the_server_sorts_them() -> None:
    values: list[Any] = [MinKey(), None, -1, 1.5, 2, "A", "a", "b", b"\x00", ObjectId("0" * 24), ObjectId("f" * 24)]
    values += [False, True, DatetimeMS(-(2**60)), datetime(2026, 1, 1, tzinfo=UTC), DatetimeMS(2**60), MaxKey()]
    shuffled = values[::2] + values[1::2]

    assert sorted(shuffled, key=snapshot.order) == values


def test_the_walk_tells_new_different_and_disappeared_documents_apart() -> None:
    found: list[tuple[Any, Any]] = [(1, {"name": "a"}), (2, {"name": "b"}), (4, {"name": float("nan")})]
    mirror: list[tuple[Any, Any]] = [(2, {"name": "c"}), (3, {"name": "d"}), (4, {"name": float("nan")})]
    told = list(snapshot.differences(Source.CUSTOMERS, iter(found), iter(mirror)))

    assert [(d.id, d.found is None, d.mirrored is None) for d in told] == [
        (1, False, True),
        (2, False, False),
        (3, True, False),
    ]
