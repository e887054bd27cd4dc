"""The census in the store: facts in a numbered log, many in one write, and checkpoints from which a start reads on.

What an entry costs does not depend on how much was counted before: whether a fact is news is asked in memory, and each fact
goes into one entry and one checkpoint. Any number of replicas may write; each follows what the others wrote.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from services.metrics.census.model import (
    CensusCount,
    CensusTally,
    Fact,
    facts_in,
    facts_of_items,
    facts_of_people,
    newest,
    text_of,
)
from shared.storage.mongo import Database
from shared.storage.numbered_log import NumberedLog

ENTRY_FACTS: Final = 1000
"""Facts in one entry at most."""
CHECKPOINT_FACTS: Final = 5000
CHECKPOINT_ENTRIES: Final = 500
"""With so many behind the last one, a checkpoint is made."""


class Census:
    """The collections `census` and `census_checkpoints`, and what they add up to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._log = NumberedLog(database["census"])
        self._checkpoints = NumberedLog(database["census_checkpoints"])
        self._count = CensusCount()
        self._number = 0
        """The last entry that is taken in."""
        self._checkpoint = 0
        """The last checkpoint that is known."""
        self._since: deque[tuple[int, list[Fact]]] = deque()
        """Entries behind the last checkpoint."""
        self._facts_since = 0
        self._lock = asyncio.Lock()

    async def prepare(self) -> None:
        """Take in what is stored; also what the version before this one left."""
        async with self._lock:
            await self._follow()
        async for document in self._database["people"].find({}):
            await self.record(facts_of_people(document))
        async for document in self._database["submissions"].find({}):
            await self.record(facts_of_items(document))

    async def record(self, facts: Iterable[Fact]) -> None:
        """Store what is news in these facts. Returns when it is stored for good."""
        given = list(facts)
        async with self._lock:
            while news := newest(fact for fact in given if self._count.is_news(fact))[:ENTRY_FACTS]:
                number = self._number + 1
                if await self._log.append([{"_id": number, "facts": text_of(news)}]):
                    self._take(number, news)
                    await self._check()
                else:
                    await self._follow()

    async def members(self) -> tuple[CensusTally, CensusTally]:
        """How many members, from how many countries."""
        return (await self._latest()).members()

    async def submissions(self) -> dict[str, CensusTally]:
        """How many submissions were received, and are visible now, and are visible videos."""
        return (await self._latest()).submissions()

    async def _latest(self) -> CensusCount:
        async with self._lock:
            await self._follow()
        return self._count

    async def _follow(self) -> None:
        """Take in what others have written, or what was there before this process."""
        async for document in self._checkpoints.after(self._checkpoint):
            self._checkpoint = document["_id"]
            if self._number < document["until"]:
                self._count.take(facts_in(document["facts"]))
                self._number = document["until"]
            self._forget(document["until"])
        async for document in self._log.after(self._number):
            self._take(document["_id"], facts_in(document["facts"]))

    def _take(self, number: int, facts: list[Fact]) -> None:
        self._count.take(facts)
        self._number = number
        self._since.append((number, facts))
        self._facts_since += len(facts)

    def _forget(self, until: int) -> None:
        while self._since and self._since[0][0] <= until:
            self._facts_since -= len(self._since.popleft()[1])

    async def _check(self) -> None:
        """Make a checkpoint when enough lies behind the last one. If somebody else makes it, theirs holds."""
        if self._facts_since < CHECKPOINT_FACTS and len(self._since) < CHECKPOINT_ENTRIES:
            return
        facts = newest(fact for _, entry in self._since for fact in entry)
        document = {"_id": self._checkpoint + 1, "until": self._number, "facts": text_of(facts)}
        if await self._checkpoints.append([document]):
            self._checkpoint += 1
            self._forget(self._number)
        else:
            await self._follow()
