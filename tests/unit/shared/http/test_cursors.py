"""A cursor holds what it was made of, and nothing else passes for one."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.cursors import LONGEST, CursorInvalid, closed, moment_of, opened


@given(st.text(max_size=12), st.integers(0, 2**63))
def test_a_cursor_holds_what_it_was_made_of(lane: str, place: int) -> None:
    assert opened(closed(lane, place), str, int) == [lane, place]


@given(st.text(max_size=300))
def test_whatever_else_is_sent_is_no_cursor(text: str) -> None:
    with pytest.raises(CursorInvalid):
        opened(text, int)


@pytest.mark.parametrize(
    "value", [[], {}, None, 1, ["a"], ["a", "b"], [1, "a"], ["a", 1, 2], ["a", True], ["a", 1.0], [["a"], 1]]
)
def test_another_shape_is_no_cursor(value: Any) -> None:
    with pytest.raises(CursorInvalid):
        opened(base64.urlsafe_b64encode(json.dumps(value).encode()).decode(), str, int)


@pytest.mark.parametrize("text", ["[" * 9_000, "9" * 9_000, f"[{'9' * 9_000}]"])
def test_depth_and_digits_without_end_are_no_cursor(text: str) -> None:
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    assert len(cursor) > LONGEST
    with pytest.raises(CursorInvalid):
        opened(cursor, int)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-30T12:00:00Z", datetime(2026, 11, 30, 12, tzinfo=UTC)),
        ("2026-11-30T12:00:00+04:00", datetime(2026, 11, 30, 8, tzinfo=UTC)),
        ("2026-11-30T12:00:00", None),
        ("2026-11-30", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2026-02-30T00:00:00Z", None),
        ("\ud800", None),
        ("", None),
    ],
)
def test_a_moment_is_one_that_there_is_in_utc(text: str, moment: datetime | None) -> None:
    assert moment_of(text) == moment
