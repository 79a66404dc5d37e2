"""A connection cut inside a message, a slow one, one without TLS, and a revoked privilege."""

from collections.abc import Iterator

import pytest
from pymongo import MongoClient

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database, Document
from tests import shop
from tests.faults.injection import (
    Load,
    assert_nothing_lost_or_duplicated,
    wait_until_consistent,
    wait_until_ready,
)
from tests.faults.proxy import Proxy
from tests.system.test_process import run_once


@pytest.fixture
def proxy(brittle: EmbeddedMongo) -> Iterator[Proxy]:
    with Proxy(brittle.members[0].port) as opened:
        yield opened


def through(proxy: Proxy) -> str:
    return f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true&heartbeatFrequencyMS=500"


def test_connections_cut_inside_a_message_lose_and_duplicate_nothing(proxy: Proxy, shop_db: Database) -> None:
    db = shop_db
    shop.plans(db)
    with shop.process(through(proxy), db.name, CHATELLO_MONGODB__TIMEOUT_SECONDS="5") as daemon:
        wait_until_ready(daemon)
        with Load(db, []) as load:
            for cut_after in (3000, 20_001, 777):
                cuts = proxy.cuts
                proxy.cut_after = cut_after
                shop.until(lambda at=cuts: proxy.cuts >= at + 4, "connections to be cut", 30)  # type: ignore[misc]
                proxy.cut_after = None
                load.more(50)
        wait_until_consistent(db, daemon)
        shop.wait_until_committed(db)
        assert daemon.stop() == 0

    assert_nothing_lost_or_duplicated(db)


def test_the_daemon_follows_a_slow_connection(proxy: Proxy, shop_db: Database) -> None:
    db = shop_db
    shop.plans(db)
    with shop.process(through(proxy), db.name) as daemon:
        wait_until_ready(daemon)
        proxy.pause = 0.03
        with Load(db, []) as load:
            load.more(60)
        wait_until_consistent(db, daemon)
        shop.wait_until_committed(db)
        assert daemon.is_running()

    assert_nothing_lost_or_duplicated(db)
    assert db.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0


def test_tls_against_a_server_without_it_is_reported_in_one_sentence_with_status_78(brittle: EmbeddedMongo) -> None:
    status, output = run_once("run", MONGODB_URI=f"{brittle.uri}&tls=true", CHATELLO_MONGODB__TIMEOUT_SECONDS="2")

    assert (status, output.count("\n")) == (78, 1), output
    assert "TLS" in output


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoClient[Document]]:
    """Yield an administrator's client of a server with access control."""
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o600)
    with EmbeddedMongo(arguments=("--auth", "--keyFile", str(key))) as mongo:
        mongo.create_user("owner", "right", "root")
        client: MongoClient[Document]
        with MongoClient(mongo.uri, username="owner", password="right", tz_aware=True) as client:
            yield client


@pytest.mark.parametrize("action", ["changeStream", "update"])
def test_a_privilege_revoked_while_running_ends_the_process_with_status_77_and_a_message(
    guarded: MongoClient[Document], action: str
) -> None:
    db: Database = guarded.get_database(f"revoked_{action}")
    shop.plans(db)
    actions = ["find", "insert", "update", "remove", "createCollection", "createIndex", "listIndexes"]
    actions += ["listCollections", "changeStream"]
    resource = {"db": db.name, "collection": ""}
    db.command("createRole", "analytics", privileges=[{"resource": resource, "actions": actions}], roles=[])
    db.command("createUser", "daemon", pwd="canary-secret", roles=["analytics"])
    host, port = guarded.address or ("", 0)
    uri = f"mongodb://daemon:canary-secret@{host}:{port}/?replicaSet=embedded&authSource={db.name}"
    with shop.process(uri, db.name) as daemon:
        wait_until_ready(daemon)
        shop.wait_until_committed(db)
        revoked = [{"resource": resource, "actions": [action]}]
        db.command("revokePrivilegesFromRole", "analytics", privileges=revoked)
        shop.customer(db, "not received")
        assert daemon.wait(40) == 77
        db.command("grantPrivilegesToRole", "analytics", privileges=revoked)
        daemon.start()
        wait_until_ready(daemon)
        wait_until_consistent(db, daemon)
        shop.wait_until_committed(db)
        output = "".join(daemon.lines)
        assert daemon.stop() == 0

    assert "not authorized" in output
    assert "canary-secret" not in output
    assert_nothing_lost_or_duplicated(db)
