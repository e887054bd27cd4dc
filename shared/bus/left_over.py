"""Finding what outboxes have left over, at a cost for each entry that does not grow with how many there are.

What else waits in an index of times is found in the same way.

The embedded database reads every match of a range before it limits or sorts: a pile of twenty thousand, taken by the page,
is read a hundred times, and on a busy machine not once in time. So the pile is walked along in windows of time that both
end in the index, narrowed where it is dense and widened where it is thin.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.storage.document import Document
from shared.storage.mongo import Collection

LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any entry."""
MOST: Final = 200
"""Of a window with more documents than this only the oldest are taken, and the next is as narrow as they lie."""
NARROWEST: Final = timedelta(milliseconds=1)
"""What the database tells apart."""
WIDEST: Final = timedelta(minutes=10)
"""Of a window near the end; further away, it may take a quarter of the way to there."""
LATE: Final = timedelta(minutes=5)
"""How long after its mark says a document may be written: writers wait, are paused, and their clocks differ."""
WHOLE_EVERY: Final = timedelta(minutes=5)
"""How often everything is walked through again, for what comes later still."""


class LeftOvers:
    """Those of one collection. It remembers how far everything was found to be published, and how wide it may look."""

    def __init__(
        self, collection: Collection, field: str = "outbox_since", among: Document | None = None
    ) -> None:
        """What `field` marks with a time, among the documents with these values; an index begins with them all."""
        self._collection, self._field, self._among = collection, field, among or {}
        self.since = LONG_AGO
        """Where the next sweep begins."""
        self._width = WIDEST
        self._whole_at = LONG_AGO

    async def sweep(self, until: datetime, *, whole: bool = False) -> AsyncIterator[list[Document]]:
        """Every document marked up to `until`, oldest first, some at a time; each was published when the next are asked for.

        What was written after its mark's time is found by one of the next sweeps, `LATE` or not. Given up half-way, the
        next begins there. What could not be published is found again by those that begin where this one began.
        """
        if whole or until - self._whole_at > WHOLE_EVERY:
            self.since, self._whole_at = LONG_AGO, until
        low = self.since
        while low < until:
            widest = max(WIDEST, (until - low) / 4)
            self._width = min(self._width, widest)
            high = min(low + self._width, until)
            window = {**self._among, self._field: {"$gt": low, "$lte": high}}
            found = await self._collection.find(window, {"outbox": 1, self._field: 1}).to_list(None)
            if len(found) > MOST:
                found.sort(key=self._mark)
                high = self._mark(found[MOST - 1])
                self._width = max(NARROWEST, high - self._mark(found[0]))
                found = [each for each in found if self._mark(each) <= high]
            elif len(found) < MOST / 4:
                self._width = min(2 * self._width, widest)
            if found:
                yield found
            low = high
            self.since = max(self.since, low - LATE)

    def _mark(self, document: Document) -> datetime:
        since: datetime = document[self._field]
        return since
