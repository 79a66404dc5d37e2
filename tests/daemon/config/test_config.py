"""Unit tests of the configuration and of small runtime components, without database or network."""

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

from daemon.config.loader import describe_errors, load
from daemon.config.schema import Config
from daemon.errors import ConfigurationError, QueueClosed, StreamBroken
from daemon.mongo import collections
from daemon.mongo.cluster_time import token_time
from daemon.pipeline.change_queue import ChangeQueue
from daemon.runtime.health import Health
from daemon.runtime.systemd import notify
from daemon.source import snapshot
from daemon.source.decode import MAX_DATE, Decoder
from daemon.source.stream import StreamItem, StreamPosition
from rules.business_days import business_day
from rules.model.changes import Change, Discontinuity, Operation, Source, Undecodable
from rules.model.events import EventType
from rules.settings.catalog import STYLES, TEXTS

PLACE = StreamPosition({"_data": "8200"}, Timestamp(1, 1))
DECODER = Decoder(ZoneInfo("UTC"), "manual@chatello.io")


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


def test_health_names_the_stalled_component_and_only_a_leader_needs_the_stream() -> None:
    health = Health()
    health.set_role("leader", 0)
    health.heartbeat("scheduler", 0)
    assert health.stalled(29) == []

    assert [problem.split()[0] for problem in health.stalled(50)] == ["scheduler", "stream"]
    health.set_role("standby", 50)
    health.heartbeat("scheduler", 50)
    assert health.not_ready(60) == []
    health.set_role("reconciling", 60, "history_lost")
    assert health.not_ready(61) == ["reconciling: history_lost"]


def test_notify_sends_to_abstract_and_path_sockets_and_does_nothing_without_one(
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


def test_the_environment_overrides_credentials_which_override_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[mongodb]\nuri = "mongodb://file"\ndatabase = "from_file"\n[http]\nport = 1\n')
    (tmp_path / "mongodb-uri").write_text("mongodb://credential\n")
    config = load(file, {"CREDENTIALS_DIRECTORY": str(tmp_path), "CHATELLO_HTTP__PORT": "2"})

    assert config.mongodb.uri.get_secret_value() == "mongodb://credential"
    assert (config.mongodb.database, config.http.port) == ("from_file", 2)
    assert "credential" not in repr(config)


def test_an_empty_credential_is_ignored_and_an_unreadable_one_is_a_configuration_error(tmp_path: Path) -> None:
    credential = tmp_path / "mongodb-uri"
    credential.write_text("\n")
    assert load(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == Config()
    credential.write_bytes(b"mongodb://canary:\xff")
    with pytest.raises(ConfigurationError) as raised:
        load(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert str(credential) in str(raised.value)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[http]\ntoken = "canary-canary-canary"', "http.token"),
        ('[mongodb]\nuri = "mongodb://u:canary@host"', "mongodb.uri"),
    ],
)
def test_a_secret_in_a_world_readable_file_is_rejected(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match=f"contains {key} and is world-readable") as raised:
        load(file, {})
    file.chmod(0o640)

    assert "canary" not in str(raised.value)
    assert load(file, {})


MISPLACED = "mongodb://user:canary@host/shop"


@pytest.mark.parametrize(
    "text",
    [
        f'mongodb = "{MISPLACED}"',
        f'[[mongodb]]\nuri = "{MISPLACED}"',
        'http = "canary-canary-canary"',
        f'[mongodb]\ndatabase = "{MISPLACED}"',
        f'[mongodb]\nurl = "{MISPLACED}"',
        f'[http]\nhost = "{MISPLACED}"',
        f'[rules]\nrates = "{MISPLACED}"',
    ],
)
def test_a_secret_in_the_wrong_setting_is_an_error_that_does_not_show_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"mongodb|http|rates") as raised:
        load(file, {})

    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("at", ['"06:00+02:00"', '"25:00"', "600", "true", "[6, 0]"])
def test_the_time_of_the_rollup_must_be_a_time_of_day_without_a_zone(tmp_path: Path, at: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[time]\nrollup_at = {at}")
    with pytest.raises(ConfigurationError, match=r"time\.rollup_at: "):
        load(file, {})


def test_a_list_in_an_environment_variable_is_separated_by_commas() -> None:
    config = load(None, {"CHATELLO_HTTP__HOSTS": "a.example, b.example", "CHATELLO_RULES__PLAN_ORDER": "pro,starter"})

    assert config.http.hosts == ("a.example", "b.example")
    assert config.rules.plan_order == ("pro", "starter")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CHATELLO_HTTP__PORT", "0"), ("CHATELLO_LOGS__LEVEL", "loud"), ("CHATELLO_TIME__ZONE", "localtime")],
)
def test_an_invalid_value_is_an_error_with_key_and_value(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(None, {variable: value})

    assert variable.removeprefix("CHATELLO_").lower().replace("__", ".") in str(raised.value)
    assert repr(value) in str(raised.value)


def test_the_shipped_configuration_file_contains_the_defaults(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[3] / "deploy" / "config.toml").read_text()
    uncommented = tmp_path / "config.toml"
    without_examples = re.sub(r"^# (company_birthday|renamed) = .*$", "", shipped, flags=re.MULTILINE)
    uncommented.write_text(
        re.sub(r'^# (?=(\w+|"[^"]+") = )', "", without_examples, flags=re.MULTILINE).replace("{ USD = 0.92 }", "{}")
    )

    assert load(Path("deploy/config.toml"), {}) == Config()
    assert load(uncommented, {}) == Config()
    for key in _keys(Config().model_dump()):
        assert re.search(f'^# "?{key}"? = ', shipped, re.MULTILINE), f"{key} is not in deploy/config.toml"


def test_the_custom_rules_in_the_documentation_are_valid(tmp_path: Path) -> None:
    shown = re.findall(r"```toml\n(.*?)```", Path("docs/configuration.md").read_text(), re.DOTALL)
    shown.append(re.sub(r"^# {3}", "", Path("deploy/config.toml").read_text(), flags=re.MULTILINE))
    for number, text in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)

        assert len(load(file, {}).rules.custom) == 1


WRONG_RULES = [
    ({"thresholds": {"custmers": [1]}}, "rules.thresholds.custmers: unknown setting"),
    ({"thresholds": {"customers": [5, 5]}}, "rules.thresholds: customers must be positive numbers in ascending order"),
    (
        {"thresholds": {"calendar": {"own_dates": {"5-20": "x"}}}},
        'own_dates: must be "MM-DD", such as "05-20", got \'5-20\'',
    ),
    ({"thresholds": {"calendar": {"own_dates": {"02-30": "x"}}}}, "got '02-30'"),
    ({"thresholds": {"calendar": {"country": "XX"}}}, "calendar.country: must be a country of the holidays library"),
    ({"thresholds": {"calendar": {"subdivision": "ZZ"}}}, "calendar.subdivision: must be one of AG, AL, "),
    (
        {"thresholds": {"calendar": {"language": "tlh"}}},
        "calendar.language: must be one of en_US, it_IT, th, got 'tlh'",
    ),
    ({"thresholds": {"plan_change_minutes": -5}}, "plan_change_minutes must be a number from 0 to 1000000000, got -5"),
    ({"thresholds": {"growth_days": 0}}, "growth_days must be a number from 1 to 36500, got 0"),
    ({"thresholds": {"record_cooldown_days": 10**9}}, "record_cooldown_days must be a number from 0 to 36500"),
    ({"thresholds": {"deviations": float("nan")}}, "deviations must be a number from 0 to"),
    ({"rates": {"USD": -1}}, "rules.rates.USD: Input should be greater than 0, got -1"),
    ({"rates": {"USD": 0}}, "rules.rates.USD: Input should be greater than 0, got 0"),
    ({"texts": {"new_client": "x"}}, "rules.texts: new_client: unknown key; expected one of new_customer, "),
    ({"texts": {"new_customer": "Ecco {nome}"}}, "new_customer: must be a text with no other fields than {name}, got"),
    ({"texts": {"new_customer": " "}}, "new_customer: must be a text"),
    ({"styles": {"new_custmer": {"rank": 1}}}, "rules.styles: new_custmer: unknown key"),
    ({"styles": {"new_customer": {"rank": "first"}}}, "rules.styles.new_customer.rank: "),
]


@pytest.mark.parametrize(("rules", "sentence"), WRONG_RULES, ids=str)
def test_an_invalid_rule_is_an_error_with_key_value_and_expectation(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Config.model_validate({"rules": rules})

    assert sentence in describe_errors(raised.value)


def test_missing_fields_of_a_rule_have_their_defaults() -> None:
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
    """Yield the names of all settings, without the keys of example tables (rates, renamed)."""
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


def test_a_change_is_dated_by_wall_time_else_by_cluster_time() -> None:
    wall = datetime(2026, 1, 1, tzinfo=UTC)

    assert DECODER.change(event()).at == datetime.fromtimestamp(100, UTC)
    assert DECODER.change(event(wallTime=wall)).at == wall


def test_unusual_bson_values_are_normalized() -> None:
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
    assert found["expires_at"] == MAX_DATE
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
def test_dates_at_the_ends_of_the_calendar_are_decoded_in_any_zone(zone: str, edge: datetime) -> None:
    decoder = Decoder(ZoneInfo(zone), "")
    decoded = decoder.external_event({"event_type": "new_customer", "event_date": edge})

    assert isinstance(decoder.document(Source.LICENSES, {"expires_at": edge})["expires_at"], datetime)
    assert business_day(decoded["event_date"], ZoneInfo(zone)).year in (1970, 9999)


def test_an_update_a_delete_a_drop_and_an_invalid_id_are_distinguished() -> None:
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


def test_ids_are_sorted_as_the_server_sorts_them() -> None:
    values: list[Any] = [MinKey(), None, -1, 1.5, 2, "A", "a", "b", b"\x00", ObjectId("0" * 24), ObjectId("f" * 24)]
    values += [False, True, DatetimeMS(-(2**60)), datetime(2026, 1, 1, tzinfo=UTC), DatetimeMS(2**60), MaxKey()]
    shuffled = values[::2] + values[1::2]

    assert sorted(shuffled, key=snapshot.sort_key) == values


def test_the_snapshot_diff_distinguishes_new_different_and_missing_documents() -> None:
    found: list[tuple[Any, Any]] = [(1, {"name": "a"}), (2, {"name": "b"}), (4, {"name": float("nan")})]
    mirror: list[tuple[Any, Any]] = [(2, {"name": "c"}), (3, {"name": "d"}), (4, {"name": float("nan")})]
    differences = list(snapshot.differences(Source.CUSTOMERS, iter(found), iter(mirror)))

    assert [(d.id, d.found is None, d.mirrored is None) for d in differences] == [
        (1, False, True),
        (2, False, False),
        (3, True, False),
    ]
