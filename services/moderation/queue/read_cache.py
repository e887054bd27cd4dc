"""What somebody saw a moment ago, for all who look at the same at the same time.

Fifty moderators who ask at once then read the front of the queue once, and each tries another case. It only saves
work: whether a case can be had is decided by compare-and-set, and who finds nothing here looks again for themselves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, TypeVar

T = TypeVar("T")

MOST: Final = 4096
"""More remembered things than this are forgotten together."""
TRIED_SECONDS: Final = 1.0


class Glances:
    """Remembers what was read for `seconds`; with 0 nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[str, tuple[float, asyncio.Future[Any]]] = {}
        self._tried: dict[str, float] = {}
        self.remembered = False
        """Whether anything was remembered, or left to somebody else, since this was last set to false."""

    async def see(self, key: str, read: Callable[[], Awaitable[T]]) -> T:
        """What `read` gives, or gave a moment ago, or is just giving somebody else."""
        if not self._seconds:
            return await read()
        known = self._seen.get(key)
        if known is not None and monotonic() - known[0] < self._seconds:
            self.remembered = True
            value: T = await asyncio.shield(known[1])
            return value
        if len(self._seen) > MOST:
            self._seen.clear()
        future: asyncio.Future[T] = asyncio.ensure_future(_given(read))
        self._seen[key] = (monotonic(), future)
        return await asyncio.shield(future)

    def tried(self, case_id: str) -> bool:
        """Whether somebody tries this case at the moment; if not, the caller does now."""
        if not self._seconds:
            return False
        if monotonic() - self._tried.get(case_id, float("-inf")) < TRIED_SECONDS:
            self.remembered = True
            return True
        if len(self._tried) > MOST:
            self._tried.clear()
        self._tried[case_id] = monotonic()
        return False

    def forget(self, case_id: str) -> None:
        """The case can be had again."""
        self._tried.pop(case_id, None)


async def _given(read: Callable[[], Awaitable[T]]) -> T:
    return await read()
