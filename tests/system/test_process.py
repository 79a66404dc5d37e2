"""The real process: no loss or duplicates after a kill at any moment; one clear sentence for a misconfiguration."""

import random
import select
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.mongo.types import Database
from tests import measurements, shop
from tests.oracle import (
    assert_each_event_once,
    assert_ledger_consistent,
    events,
    missing_and_duplicated,
    recount,
    totals,
)


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


def ready(port: int) -> bool:
    return get(port, "/readyz")[0] == 200


def busy_shop(db: Database, changes: int, done: threading.Event) -> None:
    """Write customers, licenses and plan changes one by one, over about half a minute."""
    plans = shop.plans(db)
    chance = random.Random(1)
    licenses: list[Any] = []
    for n in range(changes):
        done.wait(0.015)
        pick = chance.random()
        if pick < 0.4 or not licenses:
            licenses.append(shop.license(db, shop.customer(db, f"C{n}"), plans[chance.choice(list(plans))]))
        elif pick < 0.8:
            db.licenses.update_one(
                {"_id": chance.choice(licenses)}, {"$set": {"plan_id": plans[chance.choice(list(plans))]}}
            )
        elif pick < 0.9:
            status = chance.choice(["active", "suspended", "cancelled"])
            db.licenses.update_one({"_id": chance.choice(licenses)}, {"$set": {"status": status}})
        else:
            db.licenses.update_many({"_id": {"$in": licenses}}, {"$set": {"last_check": n}})
    done.set()


KILLS = 50


@pytest.mark.timeout(400)
def test_kill_nine_at_random_moments_loses_and_duplicates_nothing(mongo_uri: str, database: Database) -> None:
    done = threading.Event()
    writer = threading.Thread(target=busy_shop, args=(database, 2000, done))
    chance = random.Random(7)
    kills = 0
    with shop.process(mongo_uri, database.name, CHATELLO_STREAM__BATCH_SIZE="20") as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        writer.start()
        while kills < KILLS or not done.is_set():
            threading.Event().wait(chance.uniform(0.3, 1.0))  # the moment of the kill, not a wait for something
            daemon.kill()
            kills += 1
            daemon.start()
        writer.join()
        wait_for(lambda: totals(database) == recount(database), "the totals to match the source", 60)
        wait_for(lambda: _all_recorded(database), "the last event", 30)
        status = daemon.stop()

    missing, duplicated = missing_and_duplicated(database)
    recorded = database.business_events.count_documents({})
    measurements.record(recorded=recorded, missing=len(missing), duplicate=len(duplicated), kills=kills)
    assert status == 0
    assert_ledger_consistent(database)
    assert_each_event_once(database)
    assert database.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0


def _all_recorded(db: Database) -> bool:
    recorded = events(db)
    return all(recorded["license_created", d["_id"]] == 1 for d in db.licenses.find({}, {"_id": 1}))


def test_sigterm_ends_with_status_zero_within_ten_seconds(mongo_uri: str, database: Database) -> None:
    with shop.process(mongo_uri, database.name) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        daemon.send(signal.SIGTERM)
        assert daemon.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_that_waits_for_a_silent_database_ends_at_once_on_a_signal(number: signal.Signals) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        shop.process(f"mongodb://127.0.0.1:{silent.getsockname()[1]}/", "x") as daemon,
    ):
        wait_for(lambda: _has_connection(silent), "the daemon to connect")
        daemon.send(number)
        assert daemon.wait(5) == 0
        wait_for(lambda: any("daemon.stopped" in line for line in daemon.lines), "daemon.stopped")


def _has_connection(silent: socket.socket) -> bool:
    return bool(select.select([silent], [], [], 0)[0])


def test_metrics_health_and_readiness_are_served(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    with shop.process(mongo_uri, database.name) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        shop.license(database, shop.customer(database, "A"), plans["pro"])
        wait_for(lambda: "chatello_analytics_mrr_euros 7.99" in get(daemon.port, "/metrics")[1], "the MRR metric")
        assert get(daemon.port, "/healthz")[0] == 200
        assert 'chatello_analytics_events_total{type="payment_completed"} 1.0' in get(daemon.port, "/metrics")[1]


def test_a_standby_takes_over_within_ten_seconds_of_the_holders_kill(mongo_uri: str, database: Database) -> None:
    shop.plans(database)
    with shop.process(mongo_uri, database.name) as holder:
        wait_for(lambda: ready(holder.port), "the holder to be ready")
        with shop.process(mongo_uri, database.name) as standby:
            wait_for(lambda: '"standby"' in get(standby.port, "/readyz")[1], "the standby")
            holder.kill()
            customer = shop.customer(database, "after the kill")
            wait_for(lambda: events(database)["new_customer", customer] == 1, "the standby to take over", 10)


def run_once(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run the command line; return its exit status and all output."""
    daemon = shop.Process("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=1", "x", **environment)
    found = subprocess.run(
        [sys.executable, "-m", "daemon", *arguments],
        cwd=shop.ROOT,
        env=daemon.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return found.returncode, found.stdout + found.stderr


BAD_CONFIGURATIONS = [
    ({"CHATELLO_HTTP__PROT": "1"}, "http.prot: unknown setting"),
    ({"CHATELLO_HTTP_PORT": "5013"}, "CHATELLO_HTTP_PORT is not a setting"),
    ({"CHATELLO_HTTP__PORT": "70000"}, "http.port: Input should be less than or equal to 65535, got '70000'"),
    ({"CHATELLO_HTTP__PORT": "many"}, "http.port: "),
    ({"CHATELLO_TIME__ZONE": "Europe/Roma"}, "time.zone: must be an IANA time zone"),
    ({"CHATELLO_TIME__ROLLUP_AT": "25:00"}, "time.rollup_at: "),
    ({"MONGODB_URI": "postgres://secret-canary@host"}, "mongodb.uri: not a valid MongoDB connection string"),
    ({"MONGODB_URI": ""}, "mongodb.uri: not a valid MongoDB connection string"),
    ({"MONGODB_DATABASE": "a.b"}, "mongodb.database: "),
    (
        {"CHATELLO_HTTP__HOST": "0.0.0.0"},
        "http.host: 0.0.0.0 is reachable from other machines",
    ),
    ({"CHATELLO_HTTP__TOKEN": "secret-canary"}, "http.token: must be 16 to 512 ASCII characters"),
]


@pytest.mark.parametrize(("environment", "sentence"), BAD_CONFIGURATIONS, ids=lambda value: str(value)[:40])
def test_a_wrong_configuration_is_reported_in_one_sentence_with_status_78(
    environment: dict[str, str], sentence: str
) -> None:
    status, output = run_once("run", **environment)

    assert status == 78
    assert output.startswith("chatello-analytics: ")
    assert sentence in output
    assert output.count("\n") == 1
    assert "secret-canary" not in output


def test_a_custom_rule_that_the_server_rejects_is_reported_in_one_sentence_with_status_78(
    mongo_uri: str, database: Database, tmp_path: Any
) -> None:
    file = tmp_path / "config.toml"
    rule = '[[rules.custom]]\nname = "a"\ncollection = "b"\nevent_type = "partnership"\ntext = "c"\nmatch = '
    for match, sentence in (
        ('{ x = { "$foo" = 1 } }', "rules.custom.0.match: the server rejects rule 'a': unknown operator: $foo"),
        ('{ "$where" = "1" }', "rules.custom.0: match: must not contain JavaScript"),
    ):
        file.write_text(rule + match)
        status, output = run_once("run", "--config", str(file), MONGODB_URI=mongo_uri, MONGODB_DATABASE=database.name)
        assert (status, output.count("\n")) == (78, 1), output
        assert sentence in output


def test_an_invalid_or_missing_file_is_reported_in_one_sentence_with_status_78(tmp_path: Any) -> None:
    broken = tmp_path / "config.toml"
    broken.write_text("[http\nport=")

    for path in (broken, tmp_path / "missing.toml"):
        status, output = run_once("run", "--config", str(path))
        assert (status, output.count("\n")) == (78, 1)
        assert str(path) in output


def test_a_file_with_crlf_and_a_byte_order_mark_is_read(tmp_path: Any) -> None:
    odd = tmp_path / "config.toml"
    odd.write_bytes(b'\xef\xbb\xbf[time]\r\nzone = "Europe/Roma"\r\n')

    status, output = run_once("run", "--config", str(odd))
    assert status == 78
    assert "time.zone: " in output


def test_a_server_without_a_replica_set_is_reported_in_one_sentence_with_status_78() -> None:
    with EmbeddedMongo(initiate=False) as plain:
        status, output = run_once("run", MONGODB_URI=plain.uri)

    assert (status, output.count("\n")) == (78, 1)
    assert "--replSet" in output


def test_a_wrong_password_is_reported_in_one_sentence_with_status_77(guarded: EmbeddedMongo) -> None:
    uri = guarded.uri.replace("mongodb://", "mongodb://root:wrong-canary@")
    status, output = run_once("run", MONGODB_URI=uri)

    assert (status, output.count("\n")) == (77, 1)
    assert "password" in output
    assert "wrong-canary" not in output


def test_check_reports_passed_and_failed_checks(mongo_uri: str, database: Database) -> None:
    status, output = run_once("check", MONGODB_URI=mongo_uri, MONGODB_DATABASE=database.name)
    assert status == 1
    assert f"dashboard collections: none exists in {database.name}" in output
    assert "change stream: opens" in output

    shop.license(database, shop.customer(database, "A"), shop.plans(database)["pro"])
    with shop.process(mongo_uri, database.name) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
    status, output = run_once("check", MONGODB_URI=mongo_uri, MONGODB_DATABASE=database.name)
    assert status == 0, output


def test_a_port_in_use_is_reported_in_one_sentence_with_status_78(mongo_uri: str, database: Database) -> None:
    with shop.process(mongo_uri, database.name) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        status, output = run_once("run", MONGODB_URI=mongo_uri, CHATELLO_HTTP__PORT=str(daemon.port))

    assert (status, output.count("\n")) == (78, 1)
    assert "http.port" in output


def test_sighup_applies_changed_rules_and_keeps_the_old_ones_when_the_file_is_wrong(
    mongo_uri: str, database: Database, tmp_path: Any
) -> None:
    shop.plans(database)
    file = tmp_path / "config.toml"
    file.write_text("")

    def reload(text: str, answer: str) -> str:
        file.write_text(text)
        daemon.send(signal.SIGHUP)
        wait_for(lambda: any(answer in line for line in daemon.lines), answer)
        return next(line for line in daemon.lines if answer in line)

    with shop.process(mongo_uri, database.name, ("--config", str(file))) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        refused = reload("[rules.thresholds]\ncustomers = [2, 1]", "configuration.refused")
        assert "chatello_analytics_config_last_reload_successful 0.0" in get(daemon.port, "/metrics")[1]
        applied = reload("[rules.thresholds]\ncustomers = [2]\n[http]\nhosts = ['a.b']", "configuration.applied")
        customers = [shop.customer(database, name) for name in ("A", "B")]
        wait_for(lambda: events(database)["new_customer", customers[-1]] == 1, "the second customer")
        wait_for(lambda: ready(daemon.port), "the daemon to be ready again")

    assert "rules.thresholds: " in refused and "[2, 1]" in refused
    assert '"applied": ["rules.thresholds.customers"]' in applied
    assert '"needs_restart": ["http.hosts"]' in applied
    assert database.business_events.count_documents({"metadata.milestone_value": 2}) == 1


def test_an_address_that_is_not_available_yet_is_temporary_not_a_wrong_configuration() -> None:
    elsewhere = {"CHATELLO_HTTP__HOST": "192.0.2.1", "CHATELLO_HTTP__TOKEN": "0123456789abcdef"}
    status, output = run_once("run", **elsewhere)

    assert status == 75
    assert "http.host: 192.0.2.1 is not (yet) an address of this machine" in output
