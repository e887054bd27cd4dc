import asyncio

import pytest

from services.publisher.dispatch.work_loop import Lane


class Work:
    """What is due in a store, and what was done."""

    def __init__(self, *due: str) -> None:
        self.waiting, self.done = list(due), list[str]()

    async def due(self, limit: int) -> list[str]:
        return self.waiting[:limit]

    async def one(self, submission_id: str) -> bool:
        if submission_id not in self.waiting:
            return False
        self.waiting.remove(submission_id)
        self.done.append(submission_id)
        return True


async def test_what_is_due_is_done_until_nothing_is_left() -> None:
    work = Work("a", "b")
    lane = Lane(work.due, work.one)

    assert [await lane.drain(), await lane.drain()] == [True, False]
    assert work.done == ["a", "b"]


async def test_news_is_done_before_what_waits() -> None:
    work = Work("a", "b")
    lane = Lane(work.due, work.one)
    lane.tell("b")

    await lane.drain()

    assert work.done == ["b"]


async def test_news_wakes_a_lane_at_once() -> None:
    work = Work()
    lane = Lane(work.due, work.one)
    running = asyncio.create_task(lane.run())
    await asyncio.sleep(0)
    work.waiting.append("c")

    async with asyncio.timeout(0.9):
        while not work.done:
            lane.tell("c")
            await asyncio.sleep(0)

    running.cancel()


async def test_closing_lets_the_work_in_hand_end_and_begins_nothing_new() -> None:
    work, began, gate = Work("a", "b"), asyncio.Event(), asyncio.Event()

    async def slow(submission_id: str) -> bool:
        began.set()
        await gate.wait()
        return await work.one(submission_id)

    lane = Lane(work.due, slow)
    running = asyncio.create_task(lane.run())
    await asyncio.wait_for(began.wait(), 1)
    closing = asyncio.create_task(lane.close())
    await asyncio.sleep(0)
    assert not closing.done()

    gate.set()
    await asyncio.wait_for(closing, 1)

    assert work.done == ["a"]
    running.cancel()


async def test_a_failing_piece_of_work_does_not_leave_the_lane_busy() -> None:
    async def broken(_: str) -> bool:
        raise RuntimeError("no store")

    work = Work("a")
    lane = Lane(work.due, broken)

    with pytest.raises(RuntimeError):
        await lane.drain()

    await asyncio.wait_for(lane.close(), 1)
