"""What is due, found by ranges of an index that hold few: a range is read whole, whatever limit one sets.

A range begins before everything, so that whoever wrote late or with an earlier time is found by the next look; its end
is moved along as what lies before it is taken. Each find is handed out once for each time it was read.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.failures import Failure, attempt

Row = tuple[datetime, str]
"""Since when something is due, and of which submission."""

FEW: Final = 64
"""Rows that a range is made to hold."""
MANY: Final = 256
"""Rows from which on the next range is made shorter."""
ROWS_PER_SECOND: Final = 100
"""A range that cannot be made shorter, because all in it are due at the same time, is read again this seldom."""

A_DAY: Final = timedelta(days=1)


class DueLookup:
    """Looks for what is due in one queue, the longest due first."""

    def __init__(self, rows: Callable[[datetime], Awaitable[Sequence[Row]]]) -> None:
        """`rows` gives everything that is due up to a time."""
        self._rows = rows
        self._end: datetime | None = None
        """Where the range ends; absent for now."""
        self._step = timedelta(seconds=1)
        self._held = 0
        """Rows that the range before this end held."""
        self._empty_until: datetime | None = None
        self._found: deque[str] = deque()
        self._read_again_at: datetime | None = None

    async def next(self, now: datetime, limit: int, skip: Collection[str] = ()) -> list[str]:
        """At most `limit` submissions with something due that are not in `skip`; none when there is none."""
        if self._read_again_at is None or now >= self._read_again_at:
            self._found.clear()
        while True:
            taken: list[str] = []
            while self._found and len(taken) < limit:
                if (key := self._found.popleft()) not in skip:
                    taken.append(key)
            if taken:
                return taken
            end = now if self._end is None else min(self._end, now)
            read = await attempt(self._rows(end))
            if isinstance(read, Failure):  # perhaps there were too many for the store's patience
                self._shorten(end, now)
                raise read.error
            rows = [row for row in sorted(read) if row[1] not in skip]
            self._read_again_at = now + timedelta(seconds=max(1.0, len(rows) / ROWS_PER_SECOND))
            if not rows and end == now:
                self._end, self._empty_until = None, now
                return []
            self._found.extend(key for _, key in self._fit(rows, end, now))

    def _shorten(self, end: datetime, now: datetime) -> None:
        """End the next range halfway between where nothing was and `end`."""
        empty_until = min(self._empty_until or now - A_DAY, end)
        self._step = max((end - empty_until) / 2, timedelta(milliseconds=1))
        self._end = empty_until + self._step

    def _fit(self, rows: Sequence[Row], end: datetime, now: datetime) -> Sequence[Row]:
        """What to keep of what was read up to `end`. Chooses where the next range ends."""
        if len(rows) > MANY:
            self._end = rows[FEW - 1][0]
            self._step = max(self._end - rows[0][0], timedelta(milliseconds=1))
            return [row for row in rows if row[0] <= self._end]
        if not rows:
            self._empty_until = end
            self._end = end + self._step
            if self._held < FEW:
                self._step *= 2
            self._held = 0
        elif end == now:
            self._end = None
        self._held = max(self._held, len(rows))
        return rows
