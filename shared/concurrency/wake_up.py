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
