"""The database's time, by which leases are measured, so that replicas with clocks apart agree."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from shared.storage.mongo import Database

FRESH_SECONDS: Final = 5.0
"""How long the difference between the two clocks is believed."""


class DatabaseClock:
    """Tells the database's time. What an expired lease means is decided by compare-and-set, not by this."""

    def __init__(self, database: Database, local: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database, self._local = database, local
        self._ahead = timedelta(0)
        self._asked: float | None = None

    async def now(self) -> datetime:
        """The time at the database, to the few milliseconds of a round trip and in whole ones, as it stores them."""
        if self._asked is None or monotonic() - self._asked > FRESH_SECONDS:
            there = (await self._database.command("hello"))["localTime"]
            self._ahead = there.astimezone(UTC) - self._local()
            self._asked = monotonic()
        now = self._local() + self._ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
