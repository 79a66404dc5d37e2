"""Command line with unusual arguments, unusual terminals and hostile names: one message, never a traceback."""

import os
import pty
import re
import shlex
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest
from bson import ObjectId

from daemon import clock
from daemon.cli import main
from daemon.mongo.types import Database
from tests import shop
from tests.system.test_process import run_once

ROME = ZoneInfo("Europe/Rome")
LATIN = "caff\udce8"
"""An argument as a terminal in ISO-8859-1 sends it: bytes that are not UTF-8."""
EVIL = "\x1b[31mEVIL\n\u202e"


def call(uri: str, db: Database, *arguments: str, **environment: str) -> tuple[int, str]:
    return run_once(
        *arguments, MONGODB_URI=uri, MONGODB_DATABASE=db.name, **{"PYTHONIOENCODING": "utf-8", **environment}
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("events", "create", "partnership", "x", "--customer-id", LATIN), "'--customer-id': must be UTF-8 text"),
        (("events", "create", "partnership", LATIN), "'DESCRIPTION': must be UTF-8 text"),
        (("events", "create", "partnership", "x", "--amount", "nan"), "'--amount': must be a finite number"),
        (("forget", LATIN, "--dry-run"), "'CUSTOMER': must be UTF-8 text"),
        (("forget", "x", "--also", LATIN), "'--also': must be UTF-8 text"),
        (("explain", "2026-11-22", LATIN), "'FIELD': must be UTF-8 text"),
        (("export", "rows", "--from", "2026-02-01", "--to", "2026-01-31"), "--from: 2026-02-01 must not be after --to"),
        (("backfill", "--from", "2026-02-01", "--to", "2026-01-31"), "--from: 2026-02-01 must not be after --to"),
        (
            ("rollup", "--check", "--from", "2026-02-01", "--to", "2026-01-31"),
            "--from: 2026-02-01 must not be after --to",
        ),
    ],
)
def test_invalid_arguments_are_one_message_and_status_two(
    mongo_uri: str, database: Database, arguments: tuple[str, ...], sentence: str
) -> None:
    status, output = call(mongo_uri, database, *arguments)

    assert (status, sentence in output, "Traceback" in output) == (2, True, False), output
    assert database.business_events.count_documents({}) == 0


def test_days_at_the_ends_of_the_calendar_do_not_crash_a_command(mongo_uri: str, database: Database) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        status, output = call(mongo_uri, database, "rules", "preview", "--to", "0001-01-02")

    assert (status, "0 days in the ledger" in output) == (0, True), output


# -- output ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("export", "rows"), ("rules", "explain")])
def test_a_full_disk_is_one_message(mongo_uri: str, database: Database, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "daemon", *arguments]
    environment = {**os.environ, "MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=shop.ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, timeout=60)

    assert done.returncode == 1
    assert done.stderr == b"chatello-analytics: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("file", ["x.pdf", "x.xls", "rows.csv.gz"])
def test_a_file_name_of_another_format_is_refused(tmp_path: Path, file: str) -> None:
    status, output = run_once("export", "rows", "-o", str(tmp_path / file))

    assert status == 2
    assert f"cannot write {Path(file).suffix} files; name a .csv, .xlsx or .parquet file" in output
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_contradicts_the_file_name_is_refused(tmp_path: Path) -> None:
    status, output = run_once("export", "rows", "--format", "csv", "-o", str(tmp_path / "rows.xlsx"))

    assert (status, "csv does not match the file name" in output) == (2, True), output


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_a_file_that_does_not_fit_is_one_message_and_leaves_no_file(
    mongo_uri: str, database: Database, tmp_path: Path, kind: str
) -> None:
    database.business_events.insert_many([{"description": ObjectId().binary.hex() * 10} for _ in range(2000)])
    command = [sys.executable, "-m", "daemon", "export", "events", "-o", str(tmp_path / f"events.{kind}")]
    environment = {**os.environ, "MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name, "TMPDIR": str(tmp_path)}
    limited = ["prlimit", "--fsize=8192", *command]
    done = subprocess.run(limited, cwd=shop.ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "chatello-analytics: cannot write the output: File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_rejected_and_a_pipe_is_written_to_and_not_replaced(
    mongo_uri: str, database: Database, tmp_path: Path
) -> None:
    status, output = call(mongo_uri, database, "export", "rows", "-o", str(tmp_path))
    assert (status, f"cannot write to {tmp_path} (Is a directory)" in output) == (2, True), output
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["head", "-c", "7", str(pipe)], stdout=subprocess.PIPE) as reader:
        status, output = call(mongo_uri, database, "export", "rows", "-o", str(pipe))
        assert reader.stdout is not None
        assert reader.stdout.read() == b"\xef\xbb\xbfData"

    assert (status, output) == (0, "")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_is_kept_and_its_file_is_replaced(mongo_uri: str, database: Database, tmp_path: Path) -> None:
    link, file = tmp_path / "link.csv", tmp_path / "file.csv"
    link.symlink_to(file)
    for _ in range(2):
        assert call(mongo_uri, database, "export", "rows", "-o", str(link)) == (0, "")

    assert link.is_symlink()
    assert file.read_bytes().startswith(b"\xef\xbb\xbfData")


def test_a_terminal_without_emoji_shows_question_marks(mongo_uri: str, database: Database) -> None:
    arguments = ("events", "create", "partnership", "Fiera")
    status, output = call(mongo_uri, database, *arguments, PYTHONIOENCODING="latin-1")

    assert (status, "? Fiera" in output) == (0, True), output


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [("NO_COLOR", "1", False), ("NO_COLOR", "", True), ("TERM", "dumb", False), ("TERM", "xterm", True)],
)
def test_the_environment_disables_colors(variable: str, value: str, expected: bool) -> None:
    """https://no-color.org: any value that is not empty."""
    controller, terminal = pty.openpty()
    environment = {**os.environ, variable: value}
    subprocess.run(
        [sys.executable, "-m", "daemon", "rules", "explain"],
        cwd=shop.ROOT,
        env=environment,
        stdout=terminal,
        timeout=60,
    )
    os.close(terminal)
    shown = os.read(controller, 65_536)
    os.close(controller)

    assert (b"\x1b[" in shown) is expected


# -- untrusted text -------------------------------------------------------------------------------------------


def test_ids_and_types_are_printed_as_one_line_of_plain_text(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        database.customers.insert_one({"_id": EVIL, "name": EVIL, "email": "e@evil.example"})
        shop.license(database, EVIL, plans["pro"], _id=f"{EVIL}1")
        shop.license(database, EVIL, plans["pro"], _id=f"{EVIL}2", status=EVIL)
        event = {"event_type": EVIL, "event_date": clock.now(), "description": EVIL, "metadata": {"source": EVIL}}
        database.business_events.insert_one({**event, "_id": f"{EVIL}3"})
        shop.until(lambda: database.analytics_dead_letters.count_documents({}) == 1, "the held license")
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


# -- help -----------------------------------------------------------------------------------------------------


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


COMMANDS = dict(commands(main))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_text_has_examples_that_its_command_accepts(name: str) -> None:
    """Parse each example with the command's own parser, to find options that do not exist."""
    examples = re.findall(r"chatello-analytics (.+)", COMMANDS[name].help or "")

    assert examples
    for example in examples:
        assert example.startswith(name)
        words = shlex.split(example.removeprefix(name).partition(" | ")[0])
        COMMANDS[name].make_context(name, words).close()


@pytest.mark.parametrize("name", ["", *COMMANDS, *dict.fromkeys(name.split()[0] for name in COMMANDS if " " in name)])
def test_help_on_a_full_disk_is_one_sentence(name: str) -> None:
    command = [sys.executable, "-m", "daemon", *name.split(), "--help"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=shop.ROOT, stdout=full, stderr=subprocess.PIPE, timeout=60)

    assert (done.returncode, done.stderr) == (
        1,
        b"chatello-analytics: cannot write the output: No space left on device\n",
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_no_help_text_shows_a_format_of_a_program(name: str) -> None:
    assert "%Y" not in COMMANDS[name].get_help(click.Context(COMMANDS[name]))


# -- days -----------------------------------------------------------------------------------------------------


def test_days_without_a_row_on_the_first_day_are_one_sentence_with_status_one(
    mongo_uri: str, database: Database
) -> None:
    shop.license(database, shop.customer(database, "Ada"), shop.plans(database)["pro"])
    status, output = call(mongo_uri, database, "explain", "today", "mrr")
    assert (status, f"the ledger in the database {database.name} is empty" in output) == (1, True), output
    with shop.running(shop.config_for(mongo_uri, database)):
        today = f"{clock.now().astimezone(ROME):%Y-%m-%d}"
        before = f"the first day is {today}; backfill creates earlier rows\n"
        calls = [
            *((("explain", day, "mrr"), before) for day in ("2020-11-22", "yesterday", "2020-11")),
            *((("rollup", "--date", day), before) for day in ("2020-11-22", "yesterday")),
            *((("rollup", "--check", *more), f"the first day is {today}, and") for more in ((), ("--to", "yesterday"))),
        ]
        answers = [(call(mongo_uri, database, *arguments), sentence) for arguments, sentence in calls]
        accepted = [
            call(mongo_uri, database, "explain", "today", "mrr"),
            call(mongo_uri, database, "rollup", "--date", "today"),
        ]

    for (status, output), sentence in answers:
        assert (status, output.count("\n")) == (1, 1), output
        assert output.startswith("chatello-analytics: no ")
        assert sentence in output
    assert [status for status, _ in accepted] == [0, 0], accepted


@pytest.mark.parametrize("day", ["oggi", "2026-13-01", "2026-11-22T00:00", ""])
@pytest.mark.parametrize("arguments", [("rollup", "--date"), ("export", "rows", "--from"), ("backfill", "--to")])
def test_a_day_that_is_none_names_what_is_accepted(arguments: tuple[str, ...], day: str) -> None:
    status, output = run_once(*arguments, day)

    assert (status, f"{day!r} is not a day; use YYYY-MM-DD, today or yesterday" in output) == (2, True), output


# -- one zone -------------------------------------------------------------------------------------------------


def test_held_documents_are_listed_in_the_shops_zone_and_none_is_a_word(mongo_uri: str, database: Database) -> None:
    assert call(mongo_uri, database, "dead-letters", "list") == (0, "none\n")
    held = {"_id": {"k": "licenses", "id": 7}, "state": "held", "reason": "status: unknown"}
    database.analytics_dead_letters.insert_one({**held, "first_at": datetime(2026, 7, 1, 22, 30, tzinfo=UTC)})

    expected = "2026-07-02 00:30 CEST  licenses 7  status: unknown\n"
    assert call(mongo_uri, database, "dead-letters", "list") == (0, expected)


# -- the check ------------------------------------------------------------------------------------------------


def test_check_reports_a_port_of_another_program(mongo_uri: str, database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        missing = str(shop.ROOT / "deploy" / "config.toml")
        status, output = call(mongo_uri, database, "check", "--config", missing, CHATELLO_HTTP__PORT=port)

    assert status == 1
    assert f"PROBLEM port {port}: not usable" in output
    assert f"port {port} is used by another program" in output
    assert "ok      version: MongoDB" in output


PASSWORDS = ("z@qx", "z/qx", "z:z:qx", "z?qx", "z#qx", "z[qx", "z]qx", "z%qx", "@qx", "12/qx")


@pytest.mark.parametrize("password", PASSWORDS)
def test_an_unescaped_password_is_never_shown_and_the_sentence_names_the_characters(password: str) -> None:
    uri = f"mongodb{'+srv' if '/' in password else ''}://user:{password}@host.invalid/?replicaSet=rs"
    calls = [
        *(("MONGODB_URI", command) for command in ("check", "run")),
        *((misplaced, "check") for misplaced in ("MONGODB_DATABASE", "CHATELLO_HTTP__HOST")),
    ]
    for setting, command in calls:
        status, output = run_once(command, **{setting: uri})

        assert status == 78, output
        assert "qx" not in output, output
        assert setting != "MONGODB_URI" or "must be escaped: write %40 for @, %3A for :, %2F for /" in output
