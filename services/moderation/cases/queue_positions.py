"""Lanes of the queue: dense places, so that a look at the front costs the same however long the queue is.

A lane is one stage in one language (and, in a second book, in one country). A case takes the next place when it
enters; `head` is where looking begins. A place may be taken and not yet filled, so `head` passes an empty place
only when it was taken at least `SETTLED` ago, which is longer than any handler may run.
"""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection as Some
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from shared.storage.document import Document
from shared.storage.mongo import Collection, DuplicateKeyError

Stage = Literal["first", "second", "escalated"]
STAGES: Final[tuple[Stage, ...]] = ("first", "second", "escalated")
DECIDED: Final = "decided"
"""The lane of cases that have left the queue, in the order of their decisions."""
SETTLED: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class QueueLane:
    """A lane as it stood when it was read."""

    id: str
    stage: Stage
    language: str
    country: str | None
    head: int
    tail: int
    """The next place to be taken."""
    settled: int
    """Places below this were taken long enough ago: one that is empty stays empty."""
    marked: int
    marked_at: datetime
    oldest_at: datetime
    """Since when the first in it has been waiting, as far as known."""


def lane_id(stage: Stage, language: str, country: str | None = None) -> str:
    """The name of a lane."""
    return f"{stage}|{language}" if country is None else f"{stage}|{language}|{country}"


class LaneBook:
    """All lanes of one kind."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._tails: dict[str, int] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(
        self, stage: Stage, language: str, country: str | None, *, now: datetime, count: int = 1
    ) -> tuple[str, int]:
        """The next `count` places in a lane, which is made when there is none: its name and the first one's number."""
        name = lane_id(stage, language, country)
        fields = {"stage": stage, "language": language, "country": country}
        return name, await self._next(name, fields, now, count)

    async def take_decided(self, now: datetime) -> tuple[str, int]:
        """The next place among the decided ones."""
        fields = {"stage": DECIDED, "language": "", "country": None}
        return DECIDED, await self._next(DECIDED, fields, now)

    async def decided_tail(self) -> int:
        """How many places there are among the decided ones."""
        found = await self._collection.find_one({"_id": DECIDED}, {"tail": 1})
        return int(found["tail"]) if found else 0

    async def _next(self, name: str, fields: Document, now: datetime, count: int = 1) -> int:
        async with self._locks[name]:
            while True:
                tail = self._tails.get(name)
                if tail is None:
                    tail = await self._tail(name, fields, now)
                done = await self._collection.update_one(
                    {"_id": name, "tail": tail}, {"$set": {"tail": tail + count}}
                )
                # The number is believed again only once the write is known to have been done.
                self._tails.pop(name, None)
                if done.matched_count:
                    self._tails[name] = tail + count
                    return tail

    async def _tail(self, name: str, fields: Document, now: datetime) -> int:
        found = await self._collection.find_one({"_id": name}, {"tail": 1})
        if found is not None:
            return int(found["tail"])
        new: Document = {
            "_id": name,
            **fields,
            "head": 0,
            "tail": 0,
            "settled": 0,
            "marked": 0,
            "marked_at": now,
            "oldest_at": now,
        }
        try:
            await self._collection.insert_one(new)
        except DuplicateKeyError:
            return await self._tail(name, fields, now)
        return 0

    async def all(self) -> list[QueueLane]:
        """Every lane of the queue."""
        found = await self._collection.find({}).to_list(None)
        return [_lane(each) for each in found if each["stage"] != DECIDED]

    async def named(self, names: Some[str]) -> list[QueueLane]:
        """The lanes of these names that there are."""
        found = await self._collection.find({"_id": {"$in": sorted(names)}}).to_list(None)
        return [_lane(each) for each in found]

    async def move_head(self, lane: QueueLane, head: int, oldest_at: datetime) -> None:
        """Let looking begin at `head` from now on, unless somebody moved it meanwhile."""
        await self._collection.update_one(
            {"_id": lane.id, "head": lane.head}, {"$set": {"head": head, "oldest_at": oldest_at}}
        )

    async def mark(self, lane: QueueLane, now: datetime) -> None:
        """Note which places have been taken long enough ago, from time to time."""
        if now - lane.marked_at >= SETTLED:
            await self._collection.update_one(
                {"_id": lane.id, "marked_at": lane.marked_at},
                {"$set": {"settled": lane.marked, "marked": lane.tail, "marked_at": now}},
            )


def _lane(document: Document) -> QueueLane:
    return QueueLane(
        document["_id"],
        document["stage"],
        document["language"],
        document["country"],
        document["head"],
        document["tail"],
        document["settled"],
        document["marked"],
        document["marked_at"],
        document["oldest_at"],
    )


@dataclass(frozen=True, slots=True)
class Books:
    """The two ways into the queue: by language, and by language and country."""

    languages: LaneBook
    countries: LaneBook

    async def place(self, stage: Stage, language: str, country: str, now: datetime) -> Document:
        """The stored fields of a new place at the end of the queue."""
        [place] = await self.places(stage, [(language, country)], now)
        return place

    async def places(self, stage: Stage, wanted: Sequence[tuple[str, str]], now: datetime) -> list[Document]:
        """The stored fields of new places at the end, one for each language and country, in that order."""
        lanes, country_lanes = await asyncio.gather(
            _taken(self.languages, stage, [(language, None) for language, _ in wanted], now),
            _taken(self.countries, stage, wanted, now),
        )
        return [
            {
                "stage": stage,
                "lane": lane,
                "place": place,
                "country_lane": country_lane,
                "country_place": country_place,
            }
            for (lane, place), (country_lane, country_place) in zip(lanes, country_lanes, strict=True)
        ]


async def _taken(
    book: LaneBook, stage: Stage, wanted: Sequence[tuple[str, str | None]], now: datetime
) -> list[tuple[str, int]]:
    """A place for each, with one write for each lane."""
    counts = Counter(wanted)
    taken = await asyncio.gather(
        *(book.take(stage, *lane, now=now, count=count) for lane, count in counts.items())
    )
    free = {lane: (name, itertools.count(start)) for lane, (name, start) in zip(counts, taken, strict=True)}
    return [(name, next(numbers)) for name, numbers in (free[lane] for lane in wanted)]
