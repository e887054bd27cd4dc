"""The counter documents in the store: added to from exactly the state they are in, and read.

Each is replaced whole, because changing thousands of places one by one costs the database more than writing them all. What
this process wrote last it still has, so it need not read it before the next time.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Final

from services.metrics.counting.documents import counter_document, counter_id, sums_in, table_of
from services.metrics.counting.model import DAY
from services.metrics.counting.read_cache import ReadCache
from services.metrics.counting.sums import ByMeasure, Sums, Table, merge
from shared.storage.document import Document
from shared.storage.mongo import BulkWriteError, Collection, InsertOne, ReplaceOne, is_duplicate

REMEMBERED: Final = 300
"""Documents kept in memory."""
PORTION_BYTES: Final = 1 << 20
PORTION_DOCUMENTS: Final = 100
"""Written at once, so that no write comes near the time limit however much there is to tell apart."""
ASKED_AT_ONCE: Final = 25

Write = ReplaceOne[Document] | InsertOne[Document]


class CounterTables:
    """The collection `counters`."""

    def __init__(self, collection: Collection) -> None:
        self._collection, self._kept = collection, ReadCache(collection)
        self._written: OrderedDict[str, tuple[int, Sums]] = OrderedDict()

    async def add(
        self, since: Callable[[int], dict[Table, Sums]], generation: int, folded: int, last: int
    ) -> bool:
        """Add entries `folded` + 1 to `last` wherever they are missing; False when somebody else did so meanwhile.

        `since` says what the entries behind a number add. All documents hold at least what came up to `folded`.
        """
        whole = since(folded)
        states = await self._states(counter_id(generation, table) for table in whole)
        parts = {folded: whole}
        portion: dict[str, Write] = {}
        written: dict[str, tuple[int, Sums]] = {}
        size = 0
        for table in whole:
            id_ = counter_id(generation, table)
            upto, sums = states.get(id_, (0, {}))
            base = max(upto, folded)
            if base not in parts:
                parts[base] = since(base)
            if base >= last or table not in parts[base]:
                continue
            total = merge({key: list(place) for key, place in sums.items()}, parts[base][table])
            written[id_] = (last, total)
            document = counter_document(generation, table, last, total)
            portion[id_] = (
                ReplaceOne({"_id": id_, "upto": upto}, document) if id_ in states else InsertOne(document)
            )
            size += len(document["sums"])
            if size >= PORTION_BYTES or len(portion) >= PORTION_DOCUMENTS:
                if not await self._write(portion):
                    return False
                portion, size = {}, 0
            # Documents may be large: others are served in between.
            await asyncio.sleep(0)
        if not await self._write(portion):
            return False
        self._written.update(written)
        while len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        return True

    async def _write(self, portion: Mapping[str, Write]) -> bool:
        """Write documents; False when one of them was not what it was."""
        if not portion:
            return True
        for id_ in portion:
            self._written.pop(id_, None)
        try:
            result = await self._collection.bulk_write(list(portion.values()), ordered=False)
        except BulkWriteError as error:
            if not is_duplicate(error):
                raise
            return False
        return bool(result.matched_count + result.inserted_count == len(portion))

    async def _states(self, ids: Iterable[str]) -> dict[str, tuple[int, Sums]]:
        """How far those documents have come that exist, and what they hold."""
        states: dict[str, tuple[int, Sums]] = {}
        unknown = []
        for id_ in ids:
            if id_ in self._written:
                states[id_] = self._written[id_]
            else:
                unknown.append(id_)
        async for document in self._find(unknown):
            states[document["_id"]] = (document["upto"], sums_in(document))
        return states

    async def _find(self, ids: Sequence[str]) -> AsyncIterator[Document]:
        """Documents by their ids, few at a time: a server may compare each with the whole list."""
        for start in range(0, len(ids), ASKED_AT_ONCE):
            wanted = {"_id": {"$in": ids[start : start + ASKED_AT_ONCE]}}
            for document in await self._collection.find(wanted).to_list(None):
                yield document

    async def read(self, tables: Iterable[Table], generation: int) -> dict[Table, Sums]:
        """Some of the counters; those that hold nothing are left out."""
        by_id = {counter_id(generation, table): table for table in tables}
        return {by_id[one["_id"]]: sums_in(one) async for one in self._find(list(by_id))}

    async def whole(self, table: Table, generation: int, folded: int) -> ByMeasure:
        """The rows of all time or of one month, of which all entries up to `folded` are taken in."""
        found = await self._kept.read(
            {"_id": counter_id(generation, table)}, (generation, folded), days=False
        )
        return found[0] if found else {}

    async def by_day(
        self, group: str, generation: int, first: str, last: str, folded: int
    ) -> list[ByMeasure]:
        """One grouping's rows day by day, the day their last value, from `first` to `last` (both included)."""
        bounds = {
            "$gte": counter_id(generation, Table(first, group)),
            "$lte": counter_id(generation, Table(last, group)),
        }
        return await self._kept.read({"_id": bounds}, (generation, folded), days=True)

    async def days(self, group: str, generation: int, first: str, last: str) -> dict[str, Sums]:
        """One grouping's counters day by day, from `first` to `last` (`YYYY-MM-DD`, both included)."""
        bounds = {
            "$gte": counter_id(generation, Table(first, group)),
            "$lte": counter_id(generation, Table(last, group)),
        }
        documents = await self._collection.find({"_id": bounds}).to_list(None)
        tables = {table_of(document["_id"]).period: sums_in(document) for document in documents}
        return {period: sums for period, sums in tables.items() if DAY.fullmatch(period)}
