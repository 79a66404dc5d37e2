"""The command line as people meet it: odd arguments, odd terminals, hostile names; one sentence, never a traceback."""

import os
import pty
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from bson import ObjectId

from daemon import clock
from daemon.cli import main
from daemon.mongo.types import Database
from tests import shop
from tests.system.test_process import run_once

LATIN = "caff\udce8"
"""An argument as a terminal in ISO-8859-1 sends it: bytes that are no UTF-8."""
EVIL = "\x1b[31mEVIL\n\u202e"


def call(uri: str, db: Database, *arguments: str, **environment: str) -> tuple[int, str]:
    return run_once(
        *arguments, MONGODB_URI=uri, MONGODB_DATABASE=db.name, **{"PYTHONIOENCODING": "utf-8", **environment}
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("events", "create", "partnership", "x", "--customer-id", LATIN), "'--customer-id': wanted a text in UTF-8"),
        (("events", "create", "partnership", LATIN), "'DESCRIPTION': wanted a text in UTF-8"),
        (("events", "create", "partnership", "x", "--amount", "nan"), "'--amount': wanted a finite number"),
        (("forget", LATIN, "--dry-run"), "'CUSTOMER': wanted a text in UTF-8"),
        (("forget", "x", "--also", LATIN), "'--also': wanted a text in UTF-8"),
        (("explain", "2026-11-22", LATIN), "'FIELD': wanted a text in UTF-8"),
        (("export", "rows", "--from", "2026-02-01", "--to", "2026-01-31"), "--from: 2026-02-01 lies behind --to"),
        (("backfill", "--from", "2026-02-01", "--to", "2026-01-31"), "--from: 2026-02-01 lies behind --to"),
        (("rollup", "--check", "--from", "2026-02-01", "--to", "2026-01-31"), "--from: 2026-02-01 lies behind --to"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_status_two(
    mongo_uri: str, database: Database, arguments: tuple[str, ...], sentence: str
) -> None:
    status, output = call(mongo_uri, database, *arguments)

    assert (status, sentence in output, "Traceback" in output) == (2, True, False), output
    assert database.business_events.count_documents({}) == 0


def test_days_at_the_ends_of_the_calendar_end_no_command(mongo_uri: str, database: Database) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        status, output = call(mongo_uri, database, "rules", "preview", "--to", "0001-01-02")

    assert (status, "0 days in the ledger" in output) == (0, True), output


# -- where it is written to ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("export", "rows"), ("rules", "explain")])
def test_a_full_disk_is_one_sentence(mongo_uri: str, database: Database, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "daemon", *arguments]
    environment = {**os.environ, "MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=shop.ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, timeout=60)

    assert done.returncode == 1
    assert done.stderr == b"chatello-analytics: this could not be written: No space left on device\n"


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_no_room_for_a_file_is_one_sentence_and_leaves_nothing_behind(
    mongo_uri: str, database: Database, tmp_path: Path, kind: str
) -> None:
    database.business_events.insert_many([{"description": ObjectId().binary.hex() * 10} for _ in range(2000)])
    command = [sys.executable, "-m", "daemon", "export", "events", "-o", str(tmp_path / f"events.{kind}")]
    environment = {**os.environ, "MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name, "TMPDIR": str(tmp_path)}
    limited = ["prlimit", "--fsize=8192", *command]
    done = subprocess.run(limited, cwd=shop.ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "chatello-analytics: this could not be written: File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_no_file_and_a_pipe_is_written_into_not_replaced(
    mongo_uri: str, database: Database, tmp_path: Path
) -> None:
    status, output = call(mongo_uri, database, "export", "rows", "-o", str(tmp_path))
    assert (status, f"cannot write to {tmp_path} (Is a directory)" in output) == (2, True), output
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["head", "-c", "7", str(pipe)], stdout=subprocess.PIPE) as reader:
        status, output = call(mongo_uri, database, "export", "rows", "-o", str(pipe))
        assert reader.stdout is not None
        assert reader.stdout.read() == b"\xef\xbb\xbfdate"

    assert (status, output) == (0, "")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_one_and_its_file_is_replaced(mongo_uri: str, database: Database, tmp_path: Path) -> None:
    link, file = tmp_path / "link.csv", tmp_path / "file.csv"
    link.symlink_to(file)
    for _ in range(2):
        assert call(mongo_uri, database, "export", "rows", "-o", str(link)) == (0, "")

    assert link.is_symlink()
    assert file.read_bytes().startswith(b"\xef\xbb\xbfdate")


def test_a_terminal_without_emoji_shows_question_marks(mongo_uri: str, database: Database) -> None:
    arguments = ("events", "create", "partnership", "Fiera")
    status, output = call(mongo_uri, database, *arguments, PYTHONIOENCODING="latin-1")

    assert (status, "? Fiera" in output) == (0, True), output


@pytest.mark.parametrize(("wish", "expected"), [("1", False), ("", True)])
def test_no_color_is_what_it_says(wish: str, expected: bool) -> None:
    """https://no-color.org: any value that is not empty."""
    mine, its = pty.openpty()
    environment = {**os.environ, "NO_COLOR": wish}
    subprocess.run(
        [sys.executable, "-m", "daemon", "rules", "explain"], cwd=shop.ROOT, env=environment, stdout=its, timeout=60
    )
    os.close(its)
    shown = os.read(mine, 65_536)
    os.close(mine)

    assert (b"\x1b[" in shown) is expected


# -- what strangers wrote -----------------------------------------------------------------------------------


def test_no_id_or_type_reaches_a_terminal_as_more_than_a_line_of_text(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        database.customers.insert_one({"_id": EVIL, "name": EVIL, "email": "e@evil.example"})
        shop.license(database, EVIL, plans["pro"], _id=f"{EVIL}1")
        shop.license(database, EVIL, plans["pro"], _id=f"{EVIL}2", status=EVIL)
        event = {"event_type": EVIL, "event_date": clock.now(), "description": EVIL, "metadata": {"source": EVIL}}
        database.business_events.insert_one({**event, "_id": f"{EVIL}3"})
        shop.until(lambda: database.analytics_dead_letters.count_documents({}) == 1, "the held licence")
        [line] = database.analytics_ledger.find({"license_id": f"{EVIL}1"})
        day = f"{line['day']:%Y-%m-%d}"
        calls = [
            *(("explain", day, field) for field in ("mrr", "total_customers", "notes")),
            *(("dead-letters", "list"), ("reconcile", "--dry-run"), ("verify", "--documents"), ("events", "list")),
            *(("export", "events"), ("export", "movements"), ("forget", "e@evil.example", "--dry-run")),
        ]
        shown = [call(mongo_uri, database, *arguments)[1] for arguments in calls]

    for arguments, output in zip(calls, shown, strict=True):
        assert "\x1b" not in output, (arguments, output)
        assert arguments[0] == "export" or "\u202e" not in output, (arguments, output)
    assert all("EVIL" in output for output in shown[:5]), shown


# -- what it says of itself ---------------------------------------------------------------------------------


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


COMMANDS = dict(commands(main))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples_that_its_command_takes(name: str) -> None:
    """Read by the command's own parser: options that were renamed, or never were, are found here."""
    examples = re.findall(r"chatello-analytics (.+)", COMMANDS[name].help or "")

    assert examples
    for example in examples:
        assert example.startswith(name)
        words = shlex.split(example.removeprefix(name).partition(" | ")[0])
        COMMANDS[name].make_context(name, words).close()
