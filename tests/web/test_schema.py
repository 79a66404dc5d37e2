"""The API conforms to its OpenAPI document: schemathesis tests examples, boundary values and random input."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.mongo.types import Database
from rules.model.facts import FactType
from tests import shop
from tests.web.conftest import TOKEN, Serve

ENDLESS = "/api/events/stream"


@pytest.mark.timeout(300)
def test_the_api_conforms_to_its_openapi_document(
    mongo_uri: str, database: Database, serve: Serve, tmp_path: Path
) -> None:
    with shop.running(shop.config_for(mongo_uri, database)), serve(headers={}) as http_client:
        plans = shop.plans(database)
        shop.license(database, shop.customer(database, "A"), plans["pro"])
        found = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{http_client.base_url}/openapi.json"),
                *("--header", f"Authorization: Bearer {TOKEN}", "--exclude-path", ENDLESS),
                *("--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "1", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )

    assert found.returncode == 0, found.stdout + found.stderr
    assert "15 passed" in found.stdout


def test_the_document_also_describes_the_bodies_of_webhooks(serve: Serve) -> None:
    with serve(headers={}) as http_client:
        document = http_client.get("/openapi.json").json()

    assert document["webhooks"].keys() == set(FactType)
