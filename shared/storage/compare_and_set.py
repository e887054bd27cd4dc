"""Load, decide, write if nobody has written since: the loop that every aggregate is changed by, and its end."""

import asyncio
from typing import Final

from shared.failures import Conflict, jitter

TRIES: Final = 30
LONGEST_PAUSE_SECONDS: Final = 0.05
"""Who loses often is in a crowd, which is thinned out by waiting."""


class Race:
    """Between those who change one document at the same time.

    `while True:` load, decide, write if unchanged and return, else `await race.lost()`.
    """

    def __init__(self, over: str, *, tries: int = TRIES) -> None:
        """`over` names for people what is changed."""
        self._over, self._left, self._pause = over, tries, 0.001

    async def lost(self) -> None:
        """Somebody was faster: pause, and load again. Raises `Conflict` when that has happened too often."""
        self._left -= 1
        if self._left <= 0:
            raise Conflict(self._over)
        await asyncio.sleep(self._pause * jitter())
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
