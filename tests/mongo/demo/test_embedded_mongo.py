"""Temporary servers: real replica sets that end with their owner, even if it is killed."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from daemon.demo import embedded_mongo
from daemon.demo.embedded_mongo import EmbeddedMongo, EmbeddedUnavailable, wait_for

OWNER = """
import time
from daemon.demo.embedded_mongo import EmbeddedMongo
with EmbeddedMongo() as mongo:
    print(mongo.members[0].process.pid, mongo.folder, flush=True)
    time.sleep(600)
"""


def test_no_process_is_left_when_the_owner_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        assert Path(f"/proc/{pid}").exists()
        owner.send_signal(signal.SIGKILL)
        wait_for(lambda: not _runs(int(pid)), "the server to end with its owner", 10)
    for path in sorted(Path(folder).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    Path(folder).rmdir()


def _runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_server_may_open_more_files_than_a_login_shell() -> None:
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, usual[1]))
    try:
        with EmbeddedMongo() as mongo:
            server = mongo.members[0].process
            assert server is not None
            assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE) == (usual[1], usual[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


def test_a_set_of_three_elects_another_primary_when_the_first_is_killed() -> None:
    with EmbeddedMongo(3) as mongo:
        first = mongo.primary()
        mongo.kill(first)
        second = mongo.primary()
        assert second is not first
        client: MongoClient[dict[str, Any]]
        with MongoClient(mongo.uri, w="majority") as client:
            things: Collection[dict[str, Any]] = client.test.things
            things.insert_one({"a": 1})
            assert things.count_documents({}) == 1


def test_stopping_twice_is_allowed_and_leaves_no_data() -> None:
    with EmbeddedMongo() as mongo:
        folder = mongo.folder
    mongo.stop()

    assert not folder.exists()


def test_if_no_mongod_can_run_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "mongod"
    broken.write_text("#!/bin/sh\necho 'mongod: libcurl.so.4: cannot open shared object file' >&2\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(embedded_mongo, "_in_wheel", lambda: broken)
    with pytest.raises(EmbeddedUnavailable, match="apt-get install libcurl4"):
        embedded_mongo.find_mongod()
    monkeypatch.setattr(embedded_mongo, "_in_wheel", lambda: None)
    with pytest.raises(EmbeddedUnavailable, match="install MongoDB"):
        embedded_mongo.find_mongod()
