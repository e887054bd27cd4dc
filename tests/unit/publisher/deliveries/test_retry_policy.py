from dataclasses import replace
from datetime import timedelta

from services.publisher.channels.port import Capabilities
from services.publisher.deliveries.retry_policy import Pace, begin, lane_of, may_commit
from tests.support.builders.publications import NOON

NOTHING = Capabilities(lookup=False, idempotent=False, read_back=False, remove=False, sample=False)
PACE = Pace(visits=(5.0, 60.0), read_backs=2, last_visit=4)


def seconds(visits: int, capabilities: Capabilities) -> float | None:
    due = PACE.next_visit(visits, NOON, capabilities)
    return None if due is None else (due - NOON).total_seconds()


def test_pauses_double_up_to_the_longest_and_are_cut_by_up_to_half() -> None:
    assert [Pace().backoff(tries, 0.0) for tries in (1, 2, 3, 40)] == [0.5, 1.0, 2.0, 150.0]
    assert Pace().backoff(1, 0.999) < 1.0


def test_what_can_be_read_back_is_visited_soon_and_later_and_then_left() -> None:
    assert [seconds(n, replace(NOTHING, read_back=True)) for n in range(3)] == [5.0, 60.0, None]


def test_figures_are_asked_for_until_the_last_visit() -> None:
    assert [seconds(n, replace(NOTHING, sample=True)) for n in range(5)] == [5.0, 60.0, 60.0, 60.0, None]


def test_a_channel_that_can_neither_is_not_visited() -> None:
    assert seconds(0, NOTHING) is None


def test_publishing_begins_at_once_or_at_the_time_that_was_set() -> None:
    later = NOON + timedelta(hours=1)

    assert [NOON, later, NOON] == [begin(each, NOON) for each in (None, later, NOON - timedelta(hours=1))]


def test_a_call_must_end_before_its_lease() -> None:
    assert may_commit(NOON + timedelta(seconds=30), NOON, 30)
    assert not may_commit(NOON + timedelta(seconds=29), NOON, 30)


def test_every_state_with_work_has_a_lane() -> None:
    assert [
        lane_of(state)
        for state in ("planned", "sending", "unknown", "reconciling", "removing", "posted", "needs_human")
    ] == ["send", "mend", "mend", "mend", "mend", "watch", None]
