"""Every option of a connection string: the daemon overrides it, works with it, or refuses it with status 78 or 77."""

import re

import pytest
from pymongo import ReadPreference, WriteConcern
from pymongo.common import URI_OPTIONS_VALIDATOR_MAP
from pymongo.read_concern import ReadConcern
from structlog.testing import capture_logs

from daemon.config.schema import Mongodb
from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.diagnostics import requirements
from daemon.errors import AccessDenied, ChatelloError, ConfigurationError
from daemon.mongo.client import OPTION_HINT, connect
from daemon.mongo.client import database as open_database
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from tests import shop
from tests.faults.injection import assert_nothing_lost_or_duplicated
from tests.system.test_process import run_once

WORKING = [
    "readPreference=secondaryPreferred",
    "readPreference=secondary",
    "readPreference=nearest&readPreferenceTags=dc:rome&maxStalenessSeconds=120",
    "readPreference=secondary&readPreferenceTags=",
    *(f"readConcernLevel={level}" for level in ("local", "available", "majority", "linearizable", "snapshot")),
    *("w=0", "w=1", "w=2", "w=3&wtimeoutMS=50", "w=nowhere", "wtimeoutMS=1", "w=0&journal=true"),
    *("journal=false", "journal=true", "fsync=true", "w=majority&journal=true&wtimeoutMS=1"),
    *("retryWrites=false", "retryReads=false", "retryWrites=false&retryReads=false"),
    *("timeoutMS=1", "socketTimeoutMS=1", "connectTimeoutMS=1", "serverSelectionTimeoutMS=1", "waitQueueTimeoutMS=1"),
    *("maxPoolSize=1", "minPoolSize=50", "maxConnecting=1", "maxIdleTimeMS=1", "waitQueueMultiple=1"),
    *("directConnection=true", "directConnection=false", "localThresholdMS=0", "heartbeatFrequencyMS=500"),
    *(f"serverMonitoringMode={mode}" for mode in ("auto", "poll", "stream")),
    *(f"uuidRepresentation={name}" for name in ("standard", "javaLegacy", "pythonLegacy", "unspecified")),
    *("tz_aware=false", "unicode_decode_error_handler=strict", "datetime_conversion=DATETIME_MS", "connect=false"),
    *("appName=other", "compressors=zlib", "zlibCompressionLevel=9", "compressors=zlib&zlibCompressionLevel=1"),
    *("tls=false", "ssl=false", "loadBalanced=false", "maxAdaptiveRetries=0", "enableOverloadRetargeting=true"),
    *("authSource=other", "replicaSet=embedded", "tlsDisableOCSPEndpointCheck=true"),
    *("driver=x", "server_api=1", "authMechanismProperties=SERVICE_NAME:x"),  # ignored by the driver
]
REFUSED = {
    "readPreference=primary&w=0&fsync=true&journal=true": "the driver rejects the option fsync",
    "loadBalanced=true": "the driver rejects the option replicaSet, loadBalanced",
    "loadBalanced=true&directConnection=true": "the driver rejects the option directConnection, loadBalanced",
    "heartbeatFrequencyMS=1": "the driver rejects the option heartbeatFrequencyMS",
    "datetime_conversion=datetime_ms": "not a valid MongoDB connection string",
    "tls=true": "TLS handshake with the database failed",
    "tls=true&tlsInsecure=true": "TLS handshake with the database failed",
    "tls=true&tlsAllowInvalidCertificates=true&tlsAllowInvalidHostnames=true": "TLS handshake with the database failed",
    "tls=true&ssl=false": "the driver rejects the option ssl, tls",
    "tls=true&tlsCAFile=/nowhere.pem": "cannot read a file of its TLS options: No such file or directory: /nowhere.pem",
    "tls=true&tlsCertificateKeyFile=/nowhere.pem&tlsCertificateKeyFilePassword=canary": "/nowhere.pem",
    "tls=true&tlsCRLFile=/nowhere.pem": "/nowhere.pem",
    "replicaSet=other": "no server of this replica set is reachable",
    "srvMaxHosts=1": "the driver rejects the option srvMaxHosts",
    "srvServiceName=a": "the driver rejects the option srvServiceName",
    "srvAllowedHostsSuffix=.a": "the driver rejects the option srvAllowedHostsSuffix",
}
LOGINS = {
    "authMechanism=SCRAM-SHA-1": AccessDenied,
    "authMechanism=SCRAM-SHA-256": AccessDenied,
    "authMechanism=PLAIN": AccessDenied,
    "authMechanism=GSSAPI": ConfigurationError,
    "authMechanism=MONGODB-AWS": ConfigurationError,
    "authMechanism=MONGODB-OIDC": ConfigurationError,
    "authMechanism=MONGODB-X509": ConfigurationError,
}


@pytest.mark.parametrize("option", WORKING)
def test_the_daemon_works_whatever_the_option(brittle: EmbeddedMongo, shop_db: Database, option: str) -> None:
    with shop.running(shop.config_for(f"{brittle.uri}&{option}", shop_db)):
        shop.license(shop_db, shop.customer(shop_db, "A"), shop.plans(shop_db)["pro"])
        shop.wait_until_committed(shop_db, 10)

    assert_nothing_lost_or_duplicated(shop_db)


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_that_cannot_work_is_a_wrong_configuration(mongo_uri: str, option: str) -> None:
    problem = _problem(f"{mongo_uri}&{option}")

    assert isinstance(problem, ConfigurationError)
    assert REFUSED[option] in str(problem)
    assert "canary" not in str(problem)


@pytest.mark.parametrize("option", LOGINS)
def test_a_login_that_cannot_work_is_not_retried(mongo_uri: str, option: str) -> None:
    problem = _problem(f"{mongo_uri.replace('://', '://canary:canary@')}&{option}")

    assert isinstance(problem, LOGINS[option])
    assert "canary" not in str(problem)


def _problem(uri: str) -> ChatelloError:
    config = Mongodb.model_validate({"uri": uri, "timeout_seconds": 2})
    with pytest.raises(ChatelloError) as raised, connect(config) as client:
        requirements.require(open_database(client, config))
    return raised.value


def test_the_tests_cover_every_option_of_the_driver() -> None:
    tried = {name.lower() for text in (*WORKING, *REFUSED, *LOGINS) for name in re.findall(r"(\w+)=", text)}

    assert set(URI_OPTIONS_VALIDATOR_MAP) <= tried


def test_the_client_reads_from_the_primary_and_waits_for_the_majority(mongo_uri: str) -> None:
    weak = f"{mongo_uri}&readPreference=nearest&readPreferenceTags=a:b&readConcernLevel=available&w=1&wtimeoutMS=5"
    with connect(Mongodb.model_validate({"uri": weak})) as client:
        assert client.read_preference == ReadPreference.PRIMARY
        assert client.read_concern == ReadConcern()
        assert client.write_concern.document["w"] == WriteConcern("majority").document["w"]
        assert not client.write_concern.document.get("wtimeout")


def test_check_and_run_name_the_option_and_exit_with_78(mongo_uri: str) -> None:
    uri = f"{mongo_uri}&loadBalanced=true"

    for command in ("check", "run"):
        status, output = run_once(command, MONGODB_URI=uri, MONGODB_DATABASE="x")

        assert status == 78
        assert "the driver rejects the option replicaSet, loadBalanced" in output


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("canary=canary", []),
        ("maxIdleTimeMS=canary", ["maxidletimems"]),
        ("w=canary&w=canary", ["w"]),
        ("ssl=can", ["ssl"]),
    ],
)
def test_the_log_names_an_option_that_is_ignored_and_not_its_value(
    mongo_uri: str, capfd: pytest.CaptureFixture[str], option: str, named: list[str]
) -> None:
    config = Mongodb.model_validate({"uri": f"{mongo_uri}&{option}"})
    with capture_logs() as lines, connect(config, Health()), connect(config):
        pass

    assert [line["options"] for line in lines if line["event"] == "connection.option_ignored"] == [named]
    assert "can" not in f"{lines}{capfd.readouterr()}".replace(OPTION_HINT, "")
