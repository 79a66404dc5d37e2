"""Exports in three formats, read back by other libraries; a spreadsheet evaluates no text."""

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import openpyxl
import pyarrow.parquet
import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from daemon.demo.embedded_mongo import wait_for
from daemon.errors import ConfigurationError
from daemon.export import FORMATS, MEDIA_TYPES, Export, excel, headings, parquet
from daemon.export.cells import is_formula
from daemon.export.tables import TABLES
from daemon.mongo.types import Database
from daemon.store import indexes
from tests.shop import ROOT
from tests.system.test_process import run_once

ROME = ZoneInfo("Europe/Rome")

HOSTILE = (
    '=HYPERLINK("http://evil","x")',
    "+39 333 1234567",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "＝1+1",
    'a";"b,c\r\n=2',
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "x" * 40_000,
    "nul\0byte \x07 bell",
    "http://evil.example",
    "007",
)


def day_row(day: date, **more: Any) -> dict[str, Any]:
    return {
        "date": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "period_type": "daily",
        "total_customers": 12,
        "paying_customers": 7,
        "mrr": 1234.5,
        "arr": 14814.0,
        "notes": "🎉 Nuovo cliente: Caffè Perù",
        "mrr_movements": {"new": {"count": 2, "amount": 15.98}, "churn": {"count": 1, "amount": -7.99}},
        "revenue_by_plan": {"pro": {"revenue": 7.99, "count": 1}},
        "auto_events": [{"type": "new_customer"}],
        **more,
    }


def export(db: Database, table: str = "rows", first: date | None = None, last: date | None = None) -> Export:
    return Export(db, table, first, last, ROME)


def lines(source: Export, style: str = "standard") -> list[dict[str, str]]:
    text = b"".join(source.chunks("csv", style)).decode("utf-8-sig")
    separator = ";" if style == "excel-it" else ","
    found = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    names = _names(source) if style == "excel-it" else {}
    return [{names.get(heading, heading): value for heading, value in line.items()} for line in found]


def _names(source: Export) -> dict[str, str]:
    """Return the names of the columns by their Italian heading."""
    return {headings.heading(column.name): column.name for column in TABLES[source.table]}


def cells(source: Export) -> Iterator[dict[str, Any]]:
    workbook = openpyxl.load_workbook(io.BytesIO(b"".join(source.chunks("xlsx"))))
    for sheet in workbook.worksheets:
        head, *rest = sheet.iter_rows()
        names = _names(source)
        titles = [names.get(str(cell.value), str(cell.value)) for cell in head]
        yield from (dict(zip(titles, line, strict=True)) for line in rest)


def records(source: Export) -> list[dict[str, Any]]:
    table = pyarrow.parquet.read_table(io.BytesIO(b"".join(source.chunks("parquet"))))
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def test_rows_are_equal_in_every_format_with_numbers_as_numbers_and_days_as_days(database: Database) -> None:
    database.historical_analytics.insert_one(day_row(date(2026, 11, 22), final=True, revision=2))
    [plain], [sheet], [typed] = lines(export(database)), cells(export(database)), records(export(database))

    assert plain["date"] == "2026-11-22"
    assert (plain["mrr"], plain["mrr_churn"], plain["mrr_new_count"]) == ("1234.5", "-7.99", "2")
    assert (plain["final"], plain["revision"], plain["new_customers"]) == ("true", "2", "")
    assert plain["revenue_by_plan"] == '{"pro": {"count": 1, "revenue": 7.99}}'
    assert (str(sheet["date"].value), sheet["date"].is_date) == ("2026-11-22 00:00:00", True)
    assert (sheet["mrr"].value, sheet["mrr"].data_type) == (1234.5, "n")
    assert sheet["mrr_churn"].value == -7.99
    assert sheet["notes"].value == "🎉 Nuovo cliente: Caffè Perù"
    assert (typed["date"], typed["mrr"], typed["final"]) == (date(2026, 11, 22), 1234.5, True)
    assert list(plain) == list(sheet) == list(typed)


def test_fields_that_another_writer_adds_to_rows_are_exported_with_their_own_kind(database: Database) -> None:
    rows = [
        day_row(date(2026, 11, 21), depth=10, sunny=True),
        day_row(date(2026, 11, 22), depth=10.5, mood="=1", odd=1),
    ]
    rows[0]["odd"] = "one"
    database.historical_analytics.insert_many(rows)
    first, second = records(export(database))

    assert (first["depth"], second["depth"]) == (10.0, 10.5)
    assert (first["sunny"], first["mood"], second["mood"]) == (True, None, "=1")
    assert [line["odd"] for line in lines(export(database))] == ["one", "1"]


def test_the_italian_style_can_be_opened_in_an_italian_excel_by_double_click(database: Database) -> None:
    database.historical_analytics.insert_one(day_row(date(2026, 11, 22), final=True))
    raw = b"".join(export(database).chunks("csv", "excel-it"))

    assert raw.startswith(b"\xef\xbb\xbfData;Periodo (giorno, mese);Clienti totali;")
    assert b"\r\n2026-11-22;daily;12;7;;1234,5;14814,0;" in raw
    assert "Caffè Perù".encode() in raw
    assert b";VERO;" in raw


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_is_evaluated_and_none_breaks_out_of_its_cell(database: Database, hostile: str) -> None:
    event = {"event_type": hostile, "event_date": datetime(2026, 11, 22, tzinfo=UTC), "description": hostile}
    event |= {"amount": -7.99, "metadata": {"customer_name": hostile}}
    database.business_events.insert_one(event)
    for style in ("standard", "excel-it"):
        [line] = lines(export(database, "events"), style)
        for name in ("event_type", "description", "customer_name"):
            assert not is_formula(line[name])
            assert hostile.replace("\0", "") in line[name]
        assert line["amount"] in ("-7.99", "-7,99"), "a number is not escaped"
    [sheet] = cells(export(database, "events"))
    for name in ("event_type", "description", "customer_name"):
        assert sheet[name].data_type in ("s", "inlineStr"), "a text, never a formula"
        assert sheet[name].hyperlink is None
        assert sheet[name].quotePrefix == is_formula(hostile)
    assert sheet["amount"].value == -7.99
    [typed] = records(export(database, "events"))
    assert typed["description"] == hostile


ODD: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    "12,50",
    True,
    [1],
    {"a": 1},
    Decimal128("7.99"),
    Decimal128("NaN"),
    2**62,
    DatetimeMS(2**60),
    ObjectId("65f0c0ffee65f0c0ffee65f0"),
)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("field", ["amount", "event_date", "description", "auto_generated", "metadata"])
def test_a_value_of_another_kind_is_shown_as_text_and_does_not_end_the_export(
    database: Database, odd: Any, field: str
) -> None:
    database.business_events.insert_one({"event_type": "maintenance", "description": "x", field: odd})
    [line], [sheet], [typed] = (
        lines(export(database, "events")),
        cells(export(database, "events")),
        records(export(database, "events")),
    )

    assert line["event_type"] == sheet["event_type"].value == typed["event_type"] == "maintenance"
    assert line[field] != ""
    assert sheet[field].value not in (None, "")


def test_days_are_in_the_shops_time_zone_and_both_bounds_are_included(database: Database) -> None:
    for hour, day in ((22, 20), (23, 20), (22, 21), (23, 21)):
        at = datetime(2026, 11, day, hour, 30, tzinfo=UTC)
        database.business_events.insert_one({"event_type": "maintenance", "event_date": at, "description": str(at)})
        database.analytics_ledger.insert_one({"_id": day * 100 + hour, "day": datetime(2026, 11, day, tzinfo=UTC)})
    listed = lines(export(database, "events", date(2026, 11, 21), date(2026, 11, 21)))
    movements = lines(export(database, "movements", date(2026, 11, 21), None))

    assert [line["event_date"] for line in listed] == ["2026-11-21T00:30:00.000+01:00", "2026-11-21T23:30:00.000+01:00"]
    assert [line["seq"] for line in movements] == ["2122", "2123"]
    assert len(lines(export(database, "events", date.min, date.max))) == 4
    [first, _] = cells(export(database, "events", date(2026, 11, 21), date(2026, 11, 21)))
    assert str(first["event_date"].value) == "2026-11-21 00:30:00"


def test_every_column_has_an_italian_heading_of_its_own_for_people_and_its_name_for_programs(
    database: Database,
) -> None:
    for table, columns in TABLES.items():
        names = [column.name for column in columns]
        found = [headings.HEADINGS[name] for name in names]
        source = export(database, table)

        assert len(set(found)) == len(found)
        assert b"".join(source.chunks("csv", "excel-it")).decode("utf-8-sig").strip() == ";".join(found)
        assert b"".join(source.chunks("csv", "standard")).decode().strip() == ",".join(names)
    assert export(database, "events").file_name("csv", "standard") == "chatello-events.csv"
    assert export(database, "events").file_name("csv") == "chatello-eventi.csv"
    assert export(database, "movements").file_name("parquet") == "chatello-movements.parquet"


def test_an_exported_text_of_the_dashboard_has_no_email_address_and_no_license_key(database: Database) -> None:
    for text in ("Nuovo cliente registrato: Ada (a@b.it)", "Licenza: CHA-0123ABCD-0123ABCD-0123ABCD-0123ABCD"):
        database.business_events.insert_one({"event_type": "x", "description": text})

    assert [line["description"] for line in lines(export(database, "events"))] == [
        "Nuovo cliente registrato: Ada",
        "Licenza",
    ]


def test_an_empty_table_is_a_file_with_headings(database: Database) -> None:
    for table in ("rows", "events", "movements"):
        for format in FORMATS:
            assert b"".join(export(database, table).chunks(format))
        assert lines(export(database, table)) == []
    assert export(database, "rows", date(2026, 1, 1), date(2026, 2, 1)).file_name("xlsx") == (
        "chatello-righe-2026-01-01-2026-02-01.xlsx"
    )
    assert set(MEDIA_TYPES) == set(FORMATS)


def test_a_table_longer_than_a_sheet_continues_in_another_sheet(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excel, "MAX_ROWS", 4)
    database.analytics_ledger.insert_many([{"_id": n} for n in range(1, 8)])
    workbook = openpyxl.load_workbook(io.BytesIO(b"".join(export(database, "movements").chunks("xlsx"))))

    assert workbook.sheetnames == ["Movimenti", "Movimenti 2", "Movimenti 3"]
    assert [sheet.max_row for sheet in workbook.worksheets] == [4, 4, 2]
    assert [line["seq"].value for line in cells(export(database, "movements"))] == list(range(1, 8))


def test_without_pyarrow_parquet_is_a_configuration_error(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigurationError, match=r"\[parquet\]"):
        export(database).chunks("parquet")
    assert parquet.ROW_GROUP_LINES


# -- the command --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [None, date(2026, 11, 1)])
@pytest.mark.parametrize("table", ["rows", "events"])
def test_the_server_scans_an_index_instead_of_sorting(database: Database, table: str, first: date | None) -> None:
    indexes.create(database)
    at = datetime(2026, 11, 22, tzinfo=UTC)
    documents = [{"event_date": at, "description": str(number)} for number in range(3)]
    database.business_events.insert_many([*documents, {"event_date": at - timedelta(1), "description": "before"}])
    database.historical_analytics.insert_one(day_row(date(2026, 11, 22)))
    database.command("profile", 2)
    text = b"".join(Export(database, table, first, None, ROME).chunks("csv")).decode()
    database.command("profile", 0)

    [found] = database["system.profile"].find({"op": "query", "command.sort": {"$exists": True}})
    assert "IXSCAN" in found["planSummary"]
    assert not found.get("hasSortStage")
    if table == "events":
        assert [line.split(";")[2] for line in text.splitlines()[1:]] == ["before", "0", "1", "2"]


def test_the_command_writes_a_complete_file_or_none(mongo_uri: str, database: Database, tmp_path: Path) -> None:
    database.historical_analytics.insert_one(day_row(date(2026, 11, 22)))
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name}
    target = tmp_path / "rows.xlsx"
    target.write_text("yesterday's")
    status, output = run_once("export", "rows", "-o", str(target), **environment)

    assert (status, output) == (0, "")
    assert openpyxl.load_workbook(target).sheetnames == ["Giorni e mesi"]
    assert list(tmp_path.iterdir()) == [target]
    status, output = run_once("export", "rows", "-o", str(tmp_path / "no" / "x.csv"), **environment)
    assert status == 2
    assert "cannot write into" in output
    status, output = run_once("export", "events", "--csv-style", "standard", **environment)
    assert (status, output.splitlines()[0][:20]) == (0, "event_date,event_typ")


def test_ctrl_c_keeps_the_previous_file(mongo_uri: str, database: Database, tmp_path: Path) -> None:
    database.business_events.insert_many(
        [{"event_type": "maintenance", "description": "x" * 500} for _ in range(80_000)]
    )
    target = tmp_path / "events.csv"
    target.write_text("yesterday's")
    command = [sys.executable, "-m", "daemon", "export", "events", "-o", str(target)]
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name, "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: any(f != target and f.stat().st_size for f in tmp_path.iterdir()), "the export to write")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        stderr = process.stderr.read()

    assert process.returncode == 130, stderr
    assert "the file is unchanged" in stderr
    assert target.read_text() == "yesterday's"
    assert list(tmp_path.iterdir()) == [target]


def test_ids_of_every_type_are_readable_in_every_format(database: Database) -> None:
    ids = [Binary(UUID("12345678-1234-5678-1234-567812345678").bytes, 4), b"\x01\xff", Int64(7), "a\nb"]
    shown = ["12345678-1234-5678-1234-567812345678", "01ff", "7", '"a\\nb"']
    at = datetime(2026, 11, 22, 9, tzinfo=UTC)
    database.business_events.insert_many([{"event_date": at, "customer_id": one, "license_id": one} for one in ids])
    source = export(database, "events")

    for found in (
        [(line["customer_id"], line["license_id"]) for line in lines(source)],
        [(line["customer_id"].value, line["license_id"].value) for line in cells(source)],
        [(line["customer_id"], line["license_id"]) for line in records(source)],
    ):
        assert found == [(one, one) for one in shown]


def test_metadata_of_events_has_no_email_address_and_no_license_key(database: Database) -> None:
    metadata = {"license_key": "CHA-0123ABCD-4567EF01-89ABCDEF-00112233", "to": ["ada@example.it"], "by": "Ada"}
    at = datetime(2026, 11, 22, 9, tzinfo=UTC)
    database.business_events.insert_one({"event_date": at, "description": "x", "metadata": metadata})
    [line] = lines(export(database, "events"))

    assert json.loads(line["metadata"]) == {"license_key": "", "to": [""], "by": "Ada"}
