"""The decoder: unusual BSON values, dates and zones, and the kinds of change events."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Decimal128
from bson.datetime_ms import DatetimeMS
from bson.timestamp import Timestamp

from daemon.source.decode import MAX_DATE, Decoder
from rules.business_days import business_day
from rules.model.changes import Change, Discontinuity, Operation, Source, Undecodable

DECODER = Decoder(ZoneInfo("UTC"), "manual@chatello.io")


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

    assert found["customer_id"] == "65F0C0FFEE65F0C0FFEE65F0", "types are exact: a text is no ObjectId"
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
