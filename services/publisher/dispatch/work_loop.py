"""One lane of one channel: takes what is due, one submission after the other, woken at once when there is news."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

POLL_SECONDS: Final = 1.0
BATCH: Final = 32


class Lane:
    """Finds due submissions by asking the store now and then, and by being told."""

    def __init__(
        self, due: Callable[[int], Awaitable[list[str]]], work: Callable[[str], Awaitable[bool]]
    ) -> None:
        """`due` gives submissions that have something due; `work` does it and says whether anything was done."""
        self._due, self._work = due, work
        self._told: OrderedDict[str, None] = OrderedDict()
        self._news = asyncio.Event()
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def tell(self, submission_id: str) -> None:
        """Something of this submission is due now."""
        self._told[submission_id] = None
        self._news.set()

    async def run(self) -> None:
        """Work for ever."""
        while not self._closed:
            if not await self.drain():
                await self._wait()
        await asyncio.Event().wait()  # closed: the process is about to end

    async def drain(self) -> bool:
        """Do what is due now, once; whether anything was done."""
        self._news.clear()
        told, self._told = list(self._told), OrderedDict()
        stored = [] if told else await self._due(BATCH)
        done = False
        for submission_id in told or stored:
            if self._closed:
                break
            self._idle.clear()
            try:
                done = await self._work(submission_id) or done
            finally:
                self._idle.set()
        return done

    async def close(self) -> None:
        """Take nothing new; return when what is under way is done. Cut it short by cancelling."""
        self._closed = True
        self._news.set()
        await self._idle.wait()

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), POLL_SECONDS)
        except TimeoutError:
            return
