"""How often one may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.rate_limits import RateLimits
from services.ingest.settings import IngestSettings
from shared.http.problems import Problem
from shared.http.rate_limit import Allowance, Bucket, Limiter, is_loopback, network_of, spend

ONE_A_SECOND = Allowance(at_once=3, per_hour=3600)


@given(st.lists(st.floats(0, 10), max_size=60))
def test_nobody_gets_more_than_the_allowance(pauses: list[float]) -> None:
    now, taken, bucket = 0.0, 0, Bucket(ONE_A_SECOND.at_once, 0.0)
    for pause in pauses:
        now += pause
        after = spend(bucket, ONE_A_SECOND, now)
        if isinstance(after, Bucket):
            bucket, taken = after, taken + 1

    assert taken <= ONE_A_SECOND.at_once + now + 1e-6


@given(st.floats(0, 1000), st.floats(0, 3))
def test_whoever_waits_as_told_is_let_in(now: float, left: float) -> None:
    bucket = Bucket(left, now)
    wait = spend(bucket, ONE_A_SECOND, now)

    if not isinstance(wait, Bucket):
        assert isinstance(spend(bucket, ONE_A_SECOND, now + wait + 1e-6), Bucket)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
        (None, "unknown"),
    ],
)
def test_a_network_is_an_address_or_a_households_prefix(host: str | None, network: str) -> None:
    assert network == network_of(host)


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", False),
        ("x", False),
        (None, False),
    ],
)
def test_this_machine_is_told_from_others(host: str | None, own: bool) -> None:
    assert own == is_loopback(host)


def test_too_many_are_told_when_to_come_back() -> None:
    limiter = Limiter("things", Allowance(at_once=2, per_hour=60))
    limiter.count("one")
    limiter.count("one")
    limiter.count("other")

    with pytest.raises(Problem) as refused:
        limiter.count("one")

    assert (refused.value.status, refused.value.code) == (429, "too_many_requests")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60


def test_writes_are_limited_by_person_and_by_network_but_not_on_this_machine() -> None:
    limits = RateLimits(IngestSettings(submissions_at_once=2, requests_at_once=2))
    for _ in range(10):
        limits.write("127.0.0.1", "p1")
    limits.write("192.0.2.7", "p1")
    limits.write("192.0.2.7", "p1")

    with pytest.raises(Problem):
        limits.write("192.0.2.8", "p1")
    with pytest.raises(Problem):
        limits.write("192.0.2.7", "p2")


def test_this_machine_can_be_limited_too() -> None:
    limits = RateLimits(IngestSettings(requests_at_once=1, limit_loopback=True))
    limits.write("127.0.0.1")

    with pytest.raises(Problem):
        limits.write("127.0.0.1")


def test_wrong_guesses_are_counted_everywhere_and_right_ones_not() -> None:
    limits = RateLimits(IngestSettings(guesses_at_once=2))
    for _ in range(10):
        limits.expect_guess("127.0.0.1", "code")
    limits.guessed_wrong("127.0.0.1", "one")
    limits.guessed_wrong("127.0.0.1", "two")

    with pytest.raises(Problem):
        limits.expect_guess("127.0.0.1", "three")
    limits.expect_guess("192.0.2.1", "one")
    limits.guessed_wrong("192.0.2.1", "one")
    with pytest.raises(Problem):
        limits.expect_guess("192.0.2.2", "one")
