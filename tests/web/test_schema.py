"""The API does what its OpenAPI document says: schemathesis tries, from examples, from every bound, and by chance."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.mongo.types import Database
from tests import shop
from tests.web.conftest import TOKEN, Doors

ENDLESS = "/api/events/stream"


@pytest.mark.timeout(300)
def test_the_api_does_what_its_document_says(mongo_uri: str, database: Database, doors: Doors, tmp_path: Path) -> None:
    with shop.running(shop.config_for(mongo_uri, database)), doors(headers={}) as door:
        plans = shop.plans(database)
        shop.license(database, shop.customer(database, "A"), plans["pro"])
        found = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{door.base_url}/openapi.json"),
                *("--header", f"Authorization: Bearer {TOKEN}", "--exclude-path", ENDLESS),
                *("--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "1", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )

    assert found.returncode == 0, found.stdout + found.stderr
    assert "10 passed" in found.stdout
