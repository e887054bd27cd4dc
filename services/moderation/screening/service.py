"""Scanning texts beside the event loop, within a time limit: whatever somebody sends, everybody else is served."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Final, TypeVar

from services.moderation.screening.rules import Policy, ScreeningFinding, assess, unread
from shared.events import SubmissionReceived
from shared.failures import Unavailable

T = TypeVar("T")

LIMIT_SECONDS: Final = 2.0
"""For one submission. The longest that a campaign allows takes a few hundredths of it."""
THREADS: Final = 2
"""A scan that overruns keeps its thread until it ends; the other one goes on."""


class Scanner:
    """Looks at submissions in threads of its own."""

    def __init__(self, policy: Policy, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._policy, self._limit = policy, limit_seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="scan")

    async def assess(self, submissions: Sequence[SubmissionReceived]) -> list[ScreeningFinding]:
        """What there is to know of each. One that takes too long is left for people to read, and so are those after it."""
        found: list[ScreeningFinding] = []
        given_up = Event()

        def scan() -> None:
            for submission in submissions:
                if given_up.is_set():
                    return
                found.append(assess(submission, self._policy))

        task = asyncio.get_running_loop().run_in_executor(self._threads, scan)
        reached = -1
        while not task.done() and reached < len(found):
            reached = len(found)
            await asyncio.wait({task}, timeout=self._limit)
        if task.done():
            task.result()
        given_up.set()
        seen = found[: len(submissions)]
        return [*seen, *(unread(submission, self._policy) for submission in submissions[len(seen) :])]

    async def run(self, call: Callable[[], T]) -> T:
        """The result of a call that reads texts. Raises what it raises, and `Unavailable` when it takes too long."""
        task = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return await asyncio.wait_for(task, self._limit)
        except TimeoutError as error:
            raise Unavailable("the text scan, which takes too long") from error
