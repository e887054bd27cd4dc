from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.http_client import LONGEST_WAIT, Wire, WireAnswer, retry_after, within_reason

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Mon, 04 May 2026 09:30:30 GMT", 30.0),
        ("Mon, 04 May 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-3", None),
        ("1.5", 1.5),
        ("120, 60", 120.0),
        ("Monday, 04-May-26 09:31:00 GMT", 60.0),
        ("Mon May  4 09:30:20 2026", 20.0),
        ("Mon, 04 May 2026 11:30:30 +0200", 30.0),
        ("99999999999999999999999999", LONGEST_WAIT),
        ("9" * 400, LONGEST_WAIT),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("Mon, 99999999999999999999 May 2026 09:30:30 GMT", None),
        ("Mon, 04 May 2026 09:30:30 +9999", None),
        ("\u0667", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e9", None),
    ],
)
def test_a_wait_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


@given(st.text() | st.integers().map(str) | st.datetimes().map(format_datetime))
def test_whatever_a_channel_asks_for_it_is_asked_again_within_a_day(value: str) -> None:
    seconds = retry_after({"retry-after": value}, NOW)

    assert seconds is None or 0.0 <= seconds <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (3, 3.0),
        (0.5, 0.5),
        (10**400, LONGEST_WAIT),
        (float("inf"), LONGEST_WAIT),
        (float("nan"), None),
        (-1, None),
        (True, None),
        ("3", None),
        (None, None),
    ],
)
def test_a_number_from_outside_is_kept_within_reason(asked: object, seconds: float | None) -> None:
    assert within_reason(asked) == seconds


def test_an_answer_that_is_nested_too_deep_is_no_json() -> None:
    assert WireAnswer(200, {}, b"[" * 100_000).json() is None


@pytest.mark.parametrize(
    ("status", "ambiguous"),
    [
        (200, False),
        (204, False),
        (302, True),
        (400, False),
        (404, False),
        (408, True),
        (429, False),
        (500, True),
    ],
)
def test_a_status_tells_whether_the_call_was_carried_out(status: int, ambiguous: bool) -> None:
    assert WireAnswer(status, {}, b"").ambiguous is ambiguous


async def test_secrets_are_taken_out_of_what_people_read() -> None:
    wire = Wire("tg", secrets=("42:secret", ""))

    assert wire.scrub("POST /bot42:secret/sendMessage failed") == "POST /bot***/sendMessage failed"
    await wire.close()
