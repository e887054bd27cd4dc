"""Waiting to be woken, but not for ever: how every background job of a process waits for news."""

import asyncio


async def woken(event: asyncio.Event, seconds: float) -> bool:
    """Whether `event` is set within so many seconds. Who waits clears it before looking for work, not after."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


class WakeUp:
    """Wakes every task of this process that waits for it. Nobody's correctness depends on being woken."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def call(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        """What the next call sets. Take it before looking for work, or a call between the two is missed."""
        return self._event
