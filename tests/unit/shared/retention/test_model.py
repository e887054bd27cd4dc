"""When the time of a text is over, and how a document says so."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.campaign.model import RetentionPeriods
from shared.retention.model import ENDINGS, End, Ending, end_in, marked, unmarked

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ends = st.builds(
    End,
    st.sampled_from(ENDINGS),
    st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - aware by the zone
)


@pytest.mark.parametrize(
    ("ending", "days"),
    [("withdrawn", 0), ("rejected", 30), ("unanswered", 180), ("recalled", 30), ("deleted", 0)],
)
def test_a_text_is_kept_for_its_days_to_the_hour(ending: Ending, days: int) -> None:
    periods, over = RetentionPeriods().periods, NOON + timedelta(days=days)

    assert End(ending, NOON).due(periods, over)
    assert not End(ending, NOON).due(periods, over - timedelta(hours=1))


@given(ends, st.timedeltas(timedelta(0), timedelta(days=9999)))
def test_what_is_due_stays_due(end: End, later: timedelta) -> None:
    periods = RetentionPeriods().periods
    over = end.since + periods[end.ending]

    assert end.due(periods, over + later)


@given(ends)
def test_a_mark_says_what_it_was_made_of_and_goes_whole(end: End) -> None:
    document = marked(end)

    assert end_in(document) == end
    assert end_in({name: value for name, value in document.items() if name not in unmarked()}) is None
    assert marked(None) == {}
