"""When messages are sent: the collecting window, quiet hours across midnight and clock changes, weeks and months."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.messages import timing
from rules.messages.timing import QuietHours

ROME = ZoneInfo("Europe/Rome")
NIGHT = QuietHours(time(22), time(7))
NOON = datetime(2026, 11, 26, 11, tzinfo=UTC)

hours = st.times(timezones=st.none()).map(lambda at: at.replace(second=0, microsecond=0))
instants = st.integers(0, 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def test_facts_are_collected_until_none_came_for_ten_seconds_at_most_a_minute() -> None:
    assert timing.send_at(NOON, NOON) == NOON + timedelta(seconds=10)
    assert timing.send_at(NOON, NOON + timedelta(seconds=58)) == NOON + timedelta(seconds=60)


@pytest.mark.parametrize(("hour", "quiet"), [(21, False), (22, True), (23, True), (3, True), (6, True), (7, False)])
def test_quiet_hours_contain_midnight(hour: int, quiet: bool) -> None:
    assert NIGHT.contains(datetime(2026, 11, 26, hour, tzinfo=ROME), ROME) is quiet


@given(hours, hours, instants)
def test_quiet_hours_end_after_the_instant_at_their_local_end(start: time, end: time, at: datetime) -> None:
    quiet = QuietHours(start, end)
    later = quiet.ends(at, ROME)

    assert at < later <= at + timedelta(hours=25)
    assert later.astimezone(ROME).time() == end
    assert not quiet.contains(later, ROME)


def test_the_week_is_due_after_its_sunday() -> None:
    assert [timing.is_week_due(date(2026, 11, day)) for day in (28, 29, 30)] == [False, True, False]
