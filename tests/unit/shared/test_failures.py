"""What a failure means, as a table and as properties."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ConnectionClosedError, NoServersError, OutboundBufferLimitError
from pymongo import errors

from shared.failures import (
    LONGEST_DELAY,
    MAX_FAILURES,
    SHORTEST_DELAY,
    DeadLetter,
    Failure,
    Meaning,
    Retry,
    Unavailable,
    Unprocessable,
    Wait,
    attempt,
    backoff,
    meaning_of,
    settle,
)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (Unprocessable("bad signature"), Meaning.UNPROCESSABLE),
        (Unavailable("the store"), Meaning.UNAVAILABLE),
        (errors.ServerSelectionTimeoutError("no primary"), Meaning.UNAVAILABLE),
        (errors.AutoReconnect("reset"), Meaning.UNAVAILABLE),
        (errors.NetworkTimeout("timed out"), Meaning.UNAVAILABLE),
        (errors.NotPrimaryError("stepped down"), Meaning.UNAVAILABLE),
        (errors.WTimeoutError("majority not reached", 64), Meaning.UNAVAILABLE),
        (errors.OperationFailure("out of disk space", 14031), Meaning.UNAVAILABLE),
        (NoServersError(), Meaning.UNAVAILABLE),
        (ConnectionClosedError(), Meaning.UNAVAILABLE),
        (OutboundBufferLimitError(), Meaning.UNAVAILABLE),
        (errors.DuplicateKeyError("E11000", 11000), Meaning.FAILED),
        (errors.OperationFailure("bad update", 9), Meaning.FAILED),
        (RuntimeError("a bug"), Meaning.FAILED),
        (TimeoutError("too slow"), Meaning.FAILED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.value,
)
def test_a_failure_is_one_of_three(error: Exception, meaning: Meaning) -> None:
    assert meaning_of(error) == meaning


@given(failures=st.integers(0, 10_000), jitter=st.floats(0, 0.999))
def test_an_absent_store_never_buries_however_often_it_was_absent(failures: int, jitter: float) -> None:
    assert settle(Meaning.UNAVAILABLE, "away", failures, jitter) == Wait()


@given(failures=st.integers(0, 10_000), jitter=st.floats(0, 0.999))
def test_what_no_retry_can_help_is_buried_at_once(failures: int, jitter: float) -> None:
    assert settle(Meaning.UNPROCESSABLE, "bad signature", failures, jitter) == DeadLetter("bad signature")


@given(failures=st.integers(1, MAX_FAILURES - 1), jitter=st.floats(0, 0.999))
def test_other_failures_are_tried_again_with_a_delay_within_bounds(failures: int, jitter: float) -> None:
    ruling = settle(Meaning.FAILED, "a bug", failures, jitter)

    assert isinstance(ruling, Retry)
    assert SHORTEST_DELAY / 2 <= ruling.delay <= LONGEST_DELAY


@given(failures=st.integers(MAX_FAILURES, 10_000), jitter=st.floats(0, 0.999))
def test_the_eighth_failure_buries_with_the_last_reason(failures: int, jitter: float) -> None:
    ruling = settle(Meaning.FAILED, "a bug", failures, jitter)

    assert isinstance(ruling, DeadLetter)
    assert "a bug" in ruling.reason


@given(attempt_=st.integers(1, 64), jitter=st.floats(0, 0.999))
def test_backoff_doubles_until_its_limit(attempt_: int, jitter: float) -> None:
    whole = min(LONGEST_DELAY, SHORTEST_DELAY * 2 ** (attempt_ - 1))

    assert whole / 2 <= backoff(attempt_, jitter) <= whole


async def test_attempt_gives_back_the_result_or_the_failure_and_lets_cancellation_through() -> None:
    async def fine() -> int:
        return 7

    async def broken() -> int:
        raise Unavailable("the bus")

    async def cancelled() -> int:
        raise asyncio.CancelledError

    failure = await attempt(broken())

    assert await attempt(fine()) == 7
    assert isinstance(failure, Failure)
    assert (failure.meaning, failure.reason) == (Meaning.UNAVAILABLE, "Unavailable: the bus")
    with pytest.raises(asyncio.CancelledError):
        await attempt(cancelled())
