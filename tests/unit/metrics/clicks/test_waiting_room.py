"""Clicks on codes that nobody knows yet wait, few and not for long."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.metrics.clicks.service import click_on
from services.metrics.clicks.waiting_room import PATIENCE_SECONDS, WaitingRoom

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CODES = [f"abcdefgh{letter}2" for letter in "abcdefghij"]


def test_clicks_are_claimed_once_when_their_code_is_known() -> None:
    room = WaitingRoom()
    clicks = [click_on(CODES[0], NOW) for _ in range(3)]
    for click in (*clicks, click_on(CODES[1], NOW)):
        room.add(click, 0.0)

    assert room.claim([CODES[0], CODES[5]]) == clicks
    assert room.claim([CODES[0]]) == []
    assert len(room) == 1


def test_who_has_waited_too_long_goes_and_who_has_not_stays() -> None:
    room = WaitingRoom()
    room.add(click_on(CODES[0], NOW), 0.0)
    room.add(click_on(CODES[1], NOW), 500.0)

    assert room.expire(PATIENCE_SECONDS + 1, CODES) == 1
    assert room.codes(9) == [CODES[1]]


def test_all_codes_come_up_in_turn() -> None:
    room = WaitingRoom()
    for code in CODES:
        room.add(click_on(code, NOW), 0.0)

    seen = [code for _ in range(4) for code in room.codes(3)]

    assert set(seen) == set(CODES)


@given(st.lists(st.sampled_from(CODES), max_size=60), st.integers(1, 10))
def test_however_many_come_few_wait_and_none_is_counted_twice(codes: list[str], most: int) -> None:
    room = WaitingRoom(most=most)
    gone = sum(room.add(click_on(code, NOW), float(number)) for number, code in enumerate(codes))

    assert len(room) + gone == len(codes)
    assert len(room) <= most
    assert len(room.claim(CODES)) == len(codes) - gone
