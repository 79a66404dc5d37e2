"""Rows of past days after `time.zone` was changed, as described in docs/operations.md."""

import pytest

from daemon.config.active import ActiveConfig
from daemon.diagnostics.row_audit import RowAudit
from daemon.rollup.rollup import Rollup
from tests.mongo.diagnostics.test_explanation import NOW
from tests.shop_history import ShopHistory, config_of

MAY_DIFFER = {"zone", "auto_events", "auto_events_total", "notes", "auto_notes"}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_closed_rows_are_kept_and_a_recomputation_differs_in_zone_and_notes_only(
    closed: ShopHistory, zone: str
) -> None:
    rollup = Rollup(closed.db, ActiveConfig(config_of(closed.db, time={"zone": zone})))
    before = closed.db.command("dbHash", collections=["historical_analytics"])["md5"]
    rollup.close_missing(NOW)
    audit = RowAudit(rollup)
    days = audit.closed_range(None, None)
    assert days is not None
    findings = list(audit.findings(*days))

    assert closed.db.command("dbHash", collections=["historical_analytics"])["md5"] == before
    assert not [finding.period for finding in findings if finding.matches], "each row contains its zone"
    assert {difference.field for finding in findings for difference in finding.differences} <= MAY_DIFFER
