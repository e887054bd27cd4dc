import asyncio
from collections.abc import Collection

from services.publisher.dispatch.work_loop import WorkLoop


class Work:
    """What is due in a store, and what was done."""

    def __init__(self, *due: str) -> None:
        self.waiting, self.done = list(due), list[str]()

    async def due(self, limit: int, skip: Collection[str]) -> list[str]:
        return [each for each in self.waiting if each not in skip][:limit]

    async def one(self, submission_id: str) -> bool:
        if submission_id not in self.waiting:
            return False
        self.waiting.remove(submission_id)
        self.done.append(submission_id)
        return True


async def test_what_is_due_is_done_until_nothing_is_left() -> None:
    work = Work("a", "b")
    lane = WorkLoop(work.due, work.one)

    assert [await lane.drain(), await lane.drain()] == [True, False]
    assert work.done == ["a", "b"]


async def test_news_is_done_before_what_waits() -> None:
    work = Work("a", "b")
    lane = WorkLoop(work.due, work.one)
    lane.tell("b")

    await lane.drain()

    assert work.done == ["b"]


async def test_news_wakes_a_lane_at_once() -> None:
    work = Work()
    lane = WorkLoop(work.due, work.one)
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

    lane = WorkLoop(work.due, slow)
    running = asyncio.create_task(lane.run())
    await asyncio.wait_for(began.wait(), 1)
    closing = asyncio.create_task(lane.close())
    await asyncio.sleep(0)
    assert not closing.done()

    gate.set()
    await asyncio.wait_for(closing, 1)

    assert work.done == ["a"]
    running.cancel()


async def test_what_fails_is_left_alone_for_a_while_and_holds_up_nobody() -> None:
    async def broken(submission_id: str) -> bool:
        if submission_id == "a":
            raise RuntimeError("no picture")
        return await work.one(submission_id)

    work = Work("a", "b")
    lane = WorkLoop(work.due, broken)

    assert [await lane.drain(), await lane.drain()] == [True, False]
    assert work.done == ["b"]
    await asyncio.wait_for(lane.close(), 1)


async def test_news_of_what_failed_is_followed_at_once() -> None:
    work, broken = Work("a"), [True]

    async def once(submission_id: str) -> bool:
        if broken.pop():
            raise RuntimeError("no picture")
        return await work.one(submission_id)

    broken.insert(0, False)
    lane = WorkLoop(work.due, once)
    await lane.drain()
    lane.tell("a")

    assert await lane.drain()
    assert work.done == ["a"]


async def test_one_that_hangs_holds_up_no_other() -> None:
    work, gate = Work("a", "b", "c", "d"), asyncio.Event()

    async def hangs(submission_id: str) -> bool:
        if submission_id == "a":
            await gate.wait()
        return await work.one(submission_id)

    lane = WorkLoop(work.due, hangs, at_once=2)
    running = asyncio.create_task(lane.run())
    async with asyncio.timeout(5):
        while len(work.done) < 3:
            await asyncio.sleep(0)
    assert work.done == ["b", "c", "d"]

    gate.set()
    await asyncio.wait_for(lane.close(), 1)
    assert work.done[-1] == "a"
    running.cancel()


async def test_a_submission_is_worked_on_once_at_a_time_and_never_more_than_allowed_together() -> None:
    under_way, most, seen = set[str](), 0, list[str]()

    async def one(submission_id: str) -> bool:
        nonlocal most
        assert submission_id not in under_way
        under_way.add(submission_id)
        most = max(most, len(under_way))
        for _ in range(5):  # long enough for others to come in beside it
            await asyncio.sleep(0)
        under_way.discard(submission_id)
        seen.append(submission_id)
        return False

    work = Work()
    lane = WorkLoop(work.due, one, at_once=3)
    running = asyncio.create_task(lane.run())
    for number in range(60):
        lane.tell("abcde"[number % 5])
        if number % 3 == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while set(seen) != set("abcde") or under_way:
            await asyncio.sleep(0)

    assert most == 3
    running.cancel()


async def test_a_store_that_is_away_ends_nothing_that_is_under_way() -> None:
    work, gate, looks = Work(), asyncio.Event(), 0

    async def away(_limit: int, _skip: Collection[str]) -> list[str]:
        nonlocal looks
        looks += 1
        raise ConnectionError

    async def slow(submission_id: str) -> bool:
        await gate.wait()
        return await work.one(submission_id)

    work.waiting.append("a")
    lane = WorkLoop(away, slow, at_once=2)
    running = asyncio.create_task(lane.run())
    lane.tell("a")
    async with asyncio.timeout(5):
        while not looks:
            await asyncio.sleep(0)
        gate.set()
        while not work.done:
            await asyncio.sleep(0)

    assert not running.done()
    running.cancel()
