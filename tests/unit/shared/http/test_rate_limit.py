"""How often one may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
