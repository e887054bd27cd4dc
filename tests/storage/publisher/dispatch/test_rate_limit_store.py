import asyncio
from datetime import datetime, timedelta

from services.publisher.dispatch.rate_limit_store import Accounts
from shared.storage.mongo import Database
from tests.support.builders.publications import NOON


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def two(database: Database) -> tuple[Accounts, Accounts, Clock]:
    clock = Clock()
    first, second = (Accounts(database["accounts"], clock=clock) for _ in range(2))
    return first, second, clock


async def test_of_two_processes_at_the_same_time_one_has_the_turn(database: Database) -> None:
    first, second, clock = two(database)

    granted = await asyncio.gather(first.take("tg", 1.0), second.take("tg", 1.0))
    assert granted.count(None) == 1

    clock.later(1)
    granted = await asyncio.gather(first.take("tg", 1.0), second.take("tg", 1.0))
    assert granted.count(None) == 1


async def test_where_nothing_is_counted_nobody_waits_for_the_other(database: Database) -> None:
    first, second, _ = two(database)

    granted = await asyncio.gather(first.take("hook", None), second.take("hook", None))
    assert granted.count(None) == 2


async def test_calls_of_all_processes_together_keep_to_the_rate(database: Database) -> None:
    first, second, clock = two(database)
    times = []
    for tick in range(100):
        taken = await (first if tick % 2 else second).take("tg", 5.0)
        if taken is None:
            times.append(clock.now)
        clock.later(0.05)

    assert len(times) >= 20
    assert max(sum(each <= one < each + timedelta(seconds=1) for one in times) for each in times) <= 5


async def test_a_pause_is_kept_and_ends_by_itself_or_when_a_call_went_well(database: Database) -> None:
    first, second, clock = two(database)
    await first.take("tg", None)
    await first.pause("tg", 60, "slow down")

    waiting = await second.take("tg", None)
    assert waiting is not None
    assert NOON + timedelta(seconds=60) == waiting.until
    assert (await second.read("tg")).reason == "slow down"

    clock.later(61)
    assert await second.take("tg", None) is None
    await second.went_well("tg")
    assert (await first.read("tg")).reason == ""
