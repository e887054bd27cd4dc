import asyncio

import pytest

from shared.concurrency.wake_up import WakeUp, woken


async def test_what_was_set_before_is_heard_at_once_even_without_time() -> None:
    event = asyncio.Event()
    event.set()

    assert await woken(event, 0) is True
    assert await woken(event, -1) is True


async def test_what_is_set_while_waiting_is_heard_by_all() -> None:
    event = asyncio.Event()
    waiting = [asyncio.create_task(woken(event, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    event.set()

    assert await asyncio.gather(*waiting) == [True] * 3


async def test_without_news_it_ends_by_itself() -> None:
    assert await woken(asyncio.Event(), 0.01) is False


async def test_being_cancelled_is_not_taken_for_the_end_of_the_time() -> None:
    waiting = asyncio.create_task(woken(asyncio.Event(), 60))
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_call_between_looking_and_waiting_is_not_missed() -> None:
    wake_up = WakeUp()
    called = wake_up.next()
    wake_up.call()

    assert await woken(called, 5)
    assert not wake_up.next().is_set()
