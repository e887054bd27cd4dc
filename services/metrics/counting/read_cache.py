"""Rows of counter documents, kept while the documents stand: a question that was asked before costs no reading."""

from collections import OrderedDict
from typing import Final

from services.metrics.counting.documents import sums_in, table_of
from services.metrics.counting.model import DAY
from services.metrics.counting.sums import BreakdownRow, ByMeasure, Table, by_measure, rows
from shared.storage.document import Document
from shared.storage.mongo import Collection

KEPT_ROWS: Final = 60_000
"""Some 12 MB."""
KEPT_RANGES: Final = 200
FEW: Final = 25
"""So many documents are read by their ids, more as the range that they lie in."""

State = tuple[int, int]
"""Generation of the counters, and the last entry that all of them have taken in."""


class ReadCache:
    """Decoded documents of the collection `counters`, the least recently used forgotten first."""

    def __init__(self, collection: Collection, *, limit: int = KEPT_ROWS) -> None:
        self._collection, self._limit = collection, limit
        self._kept: OrderedDict[str, tuple[int, ByMeasure, int]] = OrderedDict()
        """By document: after which entry it was read, its rows, and how many they are."""
        self._size = 0
        self._ranges: OrderedDict[str, tuple[State, list[str]]] = OrderedDict()
        """Which documents a query gave, and in which state of the counters that was."""

    async def read(self, which: Document, state: State, *, days: bool) -> list[ByMeasure]:
        """The rows of the documents that a query gives, of days alone if so asked. They may be newer than `state`."""
        name = repr(which)
        asked = self._ranges.get(name)
        if asked is None or asked[0] != state or any(id_ not in self._kept for id_ in asked[1]):
            found = await self._refresh(which, days=days)
            self._ranges[name] = (state, list(found))
            self._ranges.move_to_end(name)
            while len(self._ranges) > KEPT_RANGES:
                self._ranges.popitem(last=False)
        else:
            found = {id_: self._kept[id_][1] for id_ in asked[1]}
            for id_ in found:
                self._kept.move_to_end(id_)
        return list(found.values())

    async def _refresh(self, which: Document, *, days: bool) -> dict[str, ByMeasure]:
        """Read those documents that have changed since they were read."""
        heads = await self._collection.find(which, {"upto": 1}).to_list(None)
        upto = {one["_id"]: one["upto"] for one in heads if not days or is_day(table_of(one["_id"]))}
        changed = {id_ for id_, number in upto.items() if self._upto(id_) < number}
        found = {id_: self._kept[id_][1] for id_ in upto if id_ not in changed}
        if changed:
            wanted = which if len(changed) > FEW else {"_id": {"$in": sorted(changed)}}
            async for document in self._collection.find(wanted):
                if document["_id"] in changed:
                    found[document["_id"]] = self._keep(document)
        while self._size > self._limit and self._kept:
            self._size -= self._kept.popitem(last=False)[1][2]
        return {id_: found[id_] for id_ in upto if id_ in found}

    def _upto(self, id_: str) -> int:
        kept = self._kept.get(id_)
        return -1 if kept is None else kept[0]

    def _keep(self, document: Document) -> ByMeasure:
        id_ = document["_id"]
        if id_ in self._kept:
            self._size -= self._kept.pop(id_)[2]
        decoded = rows_of(table_of(id_), document)
        found, size = by_measure(decoded), len(decoded)
        self._kept[id_] = (document["upto"], found, size)
        self._size += size
        return found


def is_day(table: Table) -> bool:
    """Whether it holds one day, and not a month or all time. Pure."""
    return DAY.fullmatch(table.period) is not None


def rows_of(table: Table, document: Document) -> list[BreakdownRow]:
    """The rows of a counter document; a day's have the day as their last value. Pure."""
    found = rows([sums_in(document)])
    if not is_day(table):
        return found
    return [row._replace(values=(*row.values, table.period)) for row in found]
