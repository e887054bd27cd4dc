"""Buckets in the database: however many replicas count, one allowance holds."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.http.problems import Problem
from shared.http.rate_limit import Allowance
from shared.http.shared_limits import FORGOTTEN_AFTER, SharedLimiter
from shared.storage.mongo import Database

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def replicas(
    database: Database, count: int, allowance: Allowance, time: Time | None = None
) -> list[SharedLimiter]:
    clock = time or Time()
    return [SharedLimiter("kind", "things", allowance, database["limits"], clock) for _ in range(count)]


async def allowed(limiter: SharedLimiter, key: str) -> bool:
    try:
        await limiter.spend(key)
    except Problem as refused:
        return refused.code != "too_many_requests" or int(refused.headers["Retry-After"]) <= 0
    return True


def counted(limiter: SharedLimiter, key: str) -> bool:
    try:
        limiter.count(key)
    except Problem:
        return False
    return True


async def test_what_is_spent_at_once_by_many_replicas_is_one_allowance(database: Database) -> None:
    made = replicas(database, 3, Allowance(10, 3600))

    got = await asyncio.gather(*(allowed(made[n % 3], "one") for n in range(24)))

    assert sum(got) == 10
    assert await allowed(made[0], "another")


async def test_what_is_spent_comes_back_with_time(database: Database) -> None:
    time = Time()
    one, other = replicas(database, 2, Allowance(2, 3600), time)
    assert [await allowed(one, "k"), await allowed(other, "k"), await allowed(one, "k")] == [
        True,
        True,
        False,
    ]

    time.now += timedelta(seconds=1)

    assert [await allowed(other, "k"), await allowed(one, "k")] == [True, False]


async def test_counts_of_all_replicas_come_together_and_what_was_too_much_is_a_debt(
    database: Database,
) -> None:
    time = Time()
    one, other = replicas(database, 2, Allowance(10, 3600), time)
    assert [counted(one, "k") for _ in range(12)] == [True] * 10 + [False] * 2
    assert [counted(other, "k") for _ in range(8)] == [True] * 8

    await asyncio.gather(one.bring_together(), other.bring_together())
    await one.bring_together()

    assert not counted(other, "k")
    found = await database["limits"].find_one({"_id": "kind k"})
    assert found is not None
    assert found["left"] == -8
    late = replicas(database, 1, Allowance(10, 3600), time)[0]
    assert counted(late, "k")
    await late.bring_together()
    assert not counted(late, "k")

    time.now += timedelta(hours=1)
    await late.bring_together()
    fresh = replicas(database, 1, Allowance(10, 3600), time)[0]
    assert counted(fresh, "k")
    await fresh.bring_together()
    assert [counted(fresh, "k") for _ in range(10)] == [True] * 9 + [False]


def test_counting_asks_the_database_nothing() -> None:
    limiter = SharedLimiter("kind", "things", Allowance(3, 60), None)  # type: ignore[arg-type]  # it would fail if asked

    for _ in range(3):
        limiter.count("k")
    with pytest.raises(Problem):
        limiter.count("k")


async def test_a_bucket_is_kept_until_it_would_be_full_again(database: Database) -> None:
    limiter = replicas(database, 1, Allowance(10, 20))[0]
    await limiter.spend("k")

    found = await database["limits"].find_one({"_id": "kind k"})

    assert found is not None
    assert found["until"] == NOW + timedelta(minutes=30) + FORGOTTEN_AFTER
