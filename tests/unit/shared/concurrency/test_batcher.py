"""Callers that share one piece of work: each learns its own fate, whatever becomes of the work."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from shared.concurrency.batcher import Batcher
from shared.failures import Failure, attempt
from tests.support.processes import within


@dataclass
class Work:
    """Doubles numbers, raises negative ones to their callers alone, and breaks as a whole at zero."""

    batches: list[list[int]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, items: list[int]) -> Sequence[int | Exception]:
        self.batches.append(items)
        await self.gate.wait()
        if 0 in items:
            raise ZeroDivisionError
        if 13 in items:
            return []
        return [ValueError(each) if each < 0 else 2 * each for each in items]


async def results(work: Work, items: Sequence[int], most: int = 100) -> list[int | Failure]:
    batcher = Batcher(work, most=most)
    calls = [asyncio.create_task(attempt(batcher.call(each))) for each in items]
    await asyncio.sleep(0)
    work.gate.set()
    async with within(10):
        return await asyncio.gather(*calls)


async def test_what_comes_at_the_same_time_goes_together_up_to_the_most() -> None:
    work = Work()

    assert await results(work, range(1, 8), most=3) == [2, 4, 6, 8, 10, 12, 14]
    assert work.batches == [[1, 2, 3], [4, 5, 6], [7]]


async def test_each_caller_learns_its_own_fate() -> None:
    first, second, third = await results(Work(), [1, -2, 3])

    assert (first, third) == (2, 6)
    assert isinstance(second, Failure)
    assert isinstance(second.error, ValueError)


@pytest.mark.parametrize("breaking", [0, 13])
async def test_work_that_breaks_leaves_nobody_waiting_and_the_next_is_done(breaking: int) -> None:
    work = Work()
    batcher = Batcher(work, most=2)
    work.gate.set()

    async with within(10):
        answers = await asyncio.gather(*(attempt(batcher.call(each)) for each in (1, breaking, 3, 4)))
        after = await batcher.call(5)

    assert [isinstance(each, Failure) for each in answers] == [True, True, False, False]
    assert after == 10


@pytest.mark.parametrize("begun", [False, True])
async def test_callers_are_let_go_when_the_work_is_cancelled(begun: bool) -> None:
    work = Work()
    batcher = Batcher(work, most=1)
    calls = [asyncio.create_task(batcher.call(each)) for each in (1, 2)]
    await asyncio.sleep(0)
    while begun and not work.batches:
        await asyncio.sleep(0)
    [worker] = [task for task in asyncio.all_tasks() if task.get_name() == "batcher"]
    worker.cancel()

    async with within(10):
        ended = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(each, asyncio.CancelledError) for each in ended)


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    work = Work()
    batcher = Batcher(work, most=2)
    leaving, staying = (asyncio.create_task(batcher.call(each)) for each in (1, 2))
    await asyncio.sleep(0)
    leaving.cancel()
    work.gate.set()

    async with within(10):
        assert await staying == 4
