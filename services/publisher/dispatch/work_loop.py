"""One lane of one channel: takes what is due, several submissions at once, woken at once when there is news."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from typing import Final

import structlog

from shared.concurrency.wake_up import woken
from shared.failures import Failure, Meaning, attempt, backoff, jitter

log = structlog.get_logger()

POLL_SECONDS: Final = 1.0
BATCH: Final = 32

Due = Callable[[int, Collection[str]], Awaitable[list[str]]]
"""Gives at most so many submissions that have something due, but none of these."""


class WorkLoop:
    """Finds due submissions by asking the store now and then, and by being told.

    A submission is worked on once at a time, so that its own order is kept; one that hangs or fails holds up no other.
    """

    def __init__(self, due: Due, work: Callable[[str], Awaitable[bool]], *, at_once: int = 1) -> None:
        """`work` does what is due of a submission and says whether anything was done."""
        self._due, self._work, self._at_once = due, work, at_once
        self._told: OrderedDict[str, None] = OrderedDict()
        self._found: OrderedDict[str, None] = OrderedDict()
        self._busy: dict[str, asyncio.Task[bool]] = {}
        self._aside: dict[str, tuple[float, int]] = {}
        """What failed: until when it is left alone, by the loop's clock, and how often it did."""
        self._wake = asyncio.Event()
        self._look = True
        """Whether the store may have more to do than what is known here."""
        self._closed = False

    def tell(self, submission_id: str) -> None:
        """Something of this submission is due now."""
        self._told[submission_id] = None
        self._wake.set()

    async def run(self) -> None:
        """Work for ever."""
        try:
            while not self._closed:
                self._wake.clear()
                self._begin()
                if self._look and not self._found and self._room():
                    await self._find()
                    self._begin()
                await self._wait()
            await asyncio.Event().wait()  # closed: the process is about to end
        finally:
            for task in self._busy.values():
                task.cancel()

    async def drain(self) -> bool:
        """Do what is known to be due now, or else what the store says, once; whether anything was done."""
        if not self._told:
            await self._find()
        done = False
        while (self._told or self._found) and not self._closed:
            self._begin()
            if not self._busy:
                break
            finished, _ = await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)
            done = any(task.result() for task in finished) or done
        return any(await asyncio.gather(*self._busy.values())) or done

    async def close(self) -> None:
        """Take nothing new; return when what is under way is done. Cut it short by cancelling."""
        self._closed = True
        self._wake.set()
        await asyncio.gather(*self._busy.values())

    def _room(self) -> int:
        return self._at_once - len(self._busy)

    async def _find(self) -> None:
        self._look = False
        now = asyncio.get_running_loop().time()
        left_alone = {key for key, (until, _) in self._aside.items() if now < until}
        found = await attempt(self._due(BATCH, self._busy.keys() | left_alone))
        if isinstance(found, Failure):
            log.warning("due_lookup_failed", reason=found.reason)
        else:
            self._found.update(dict.fromkeys(found))

    def _begin(self) -> None:
        """Begin what is known, as far as there is room; what is under way already waits for its turn."""
        for waiting in (self._told, self._found):
            for key in [each for each in waiting if each not in self._busy]:
                if self._closed or not self._room():
                    return
                del waiting[key]
                self._found.pop(key, None)
                self._busy[key] = asyncio.create_task(self._one(key))

    async def _one(self, submission_id: str) -> bool:
        done = await attempt(self._work(submission_id))
        del self._busy[submission_id]
        self._wake.set()
        if not isinstance(done, Failure):
            self._aside.pop(submission_id, None)
            self._look = self._look or done
            return done
        failures = min(self._aside.get(submission_id, (0.0, 0))[1] + 1, 16)
        pause = backoff(failures, jitter(), shortest=0.2, longest=60.0)
        self._aside[submission_id] = (asyncio.get_running_loop().time() + pause, failures)
        log.warning(
            "delivery_work_failed",
            submission_id=submission_id,
            reason=done.reason,
            again_in=round(pause, 2),
            exc_info=done.error if done.meaning is Meaning.FAILED else None,
        )
        return False

    async def _wait(self) -> None:
        if not await woken(self._wake, POLL_SECONDS):
            self._look = True
