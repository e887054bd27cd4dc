"""The job that takes texts and files away when their time is over. Written once; a service says what taking away means.

A document is marked (`model.marked`) in the very write that ends the need for its texts. So what is due is found by an
index that begins with the ending and goes on with the time, in windows that are bounded on both ends, however much is
kept. Whoever takes away looks at the document itself once more: the mark only says where to look. The mark goes in the
write that takes the last text away; a process that dies before leaves it to be found again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from shared.bus.left_over import LONG_AGO, LeftOvers
from shared.failures import Failure, attempt
from shared.retention import telemetry
from shared.retention.model import AS, ENDINGS, SINCE, End, Ending, marked
from shared.storage.document import Document
from shared.storage.mongo import Collection

log = structlog.get_logger()

Erase = Callable[[str, datetime], Awaitable[bool]]
"""Takes the texts of one document away, as of a time; true when they are gone. False leaves it for a later look: its texts
are needed still, or again."""
INDEX: Final = "ended"


def _marked_until(ending: Ending, until: datetime) -> Document:
    return {AS: ending, SINCE: {"$gt": LONG_AGO, "$lte": until}}


def present() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class Retention:
    """The texts of one collection. Any number of processes may run it: they only repeat one another."""

    def __init__(
        self,
        collection: Collection,
        periods: Mapping[Ending, timedelta],
        erase: Erase,
        *,
        before: Mapping[Ending, Document],
        done: Collection,
        clock: Callable[[], datetime] = present,
    ) -> None:
        """`before` finds what ended before there were marks; it is marked once, which `done` remembers."""
        self._collection, self._periods, self._erase, self._clock = collection, periods, erase, clock
        self._before, self._done = before, done
        self._waiting = {ending: LeftOvers(collection, SINCE, {AS: ending}) for ending in ENDINGS}

    async def prepare(self) -> None:
        """The index by which what is due is found."""
        await self._collection.create_index([(AS, 1), (SINCE, 1)], name=INDEX, sparse=True)

    async def _mark_earlier(self) -> None:
        """Mark what ended before there were marks, as if it ended now."""
        name = self._collection.name
        if await self._done.find_one({"_id": name}) is None:
            now = self._clock()
            for ending, which in self._before.items():
                mark = {"$set": marked(End(ending, now))}
                await self._collection.update_many({**which, AS: None, "erased_at": None}, mark)
            await self._done.update_one({"_id": name}, {"$set": {"marked_at": now}}, upsert=True)

    async def every(self, seconds: float) -> None:
        """Take away what is due, again and again; a job of the service."""
        await self._mark_earlier()
        while True:
            await self._once(whole=False)
            await asyncio.sleep(seconds)

    async def drain(self) -> int:
        """Take away all that is due now; of how many documents. Raises what kept one from it, after the others."""
        await self._mark_earlier()
        return await self._once(whole=True)

    async def _once(self, *, whole: bool) -> int:
        now, count, failure = self._clock(), 0, None
        for ending, waiting in self._waiting.items():
            until = now - self._periods[ending]
            if await self._collection.find_one(_marked_until(ending, until), {"_id": 1}) is None:
                continue
            async for documents in waiting.sweep(until, whole=whole):
                for document in documents:
                    done = await attempt(self._erase(document["_id"], now))
                    if isinstance(done, Failure):
                        failure = failure or done
                        log.warning("data_not_erased", kind=self._collection.name, reason=done.reason)
                    elif done:
                        telemetry.erased(self._collection.name, document["_id"], ending)
                        count += 1
        if failure is not None:
            raise failure.error
        return count
