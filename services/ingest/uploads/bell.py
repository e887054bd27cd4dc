"""A wake-up call between the tasks of one process. Nobody's correctness depends on hearing it."""

import asyncio

from shared.concurrency.wake_up import woken


class Bell:
    """Wakes everybody who waits for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    def listen(self) -> asyncio.Event:
        """What the next ring sets. Listen before you look for work, or a ring between the two is missed."""
        return self._event

    @staticmethod
    async def heard(ring: asyncio.Event, seconds: float) -> None:
        """Until that ring, at most `seconds`."""
        await woken(ring, seconds)
