"""Many inserts, one write: documents that arrive while a write is under way go together into the next one.

Each caller still learns its own document's fate, and only after a majority has it on disk.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pymongo.errors import BulkWriteError

from services.ingest import telemetry
from shared.mongo import DUPLICATE_KEY, Collection, Document
from shared.settle import Failure, Unavailable, attempt

MOST_AT_ONCE: Final = 500
"""Documents of one write."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    document: Document
    done: asyncio.Future[bool]


class GroupCommit:
    """Inserts into one collection. Holds nothing once every call has returned."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def insert(self, document: Document) -> bool:
        """Store `document`; false when one with its `_id` is there already.

        Raises what `shared.mongo.is_unavailable` knows, or `Unavailable`: then it may or may not be stored.
        """
        waiting = _Waiting(document, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="group-commit")
        return await waiting.done

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                await self._write(batch)
        finally:
            self._writer = None

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        telemetry.batch_written(len(batch))
        documents = [each.document for each in batch]
        answer = await attempt(self._collection.insert_many(documents, ordered=False))
        for index, each in enumerate(batch):
            if each.done.done():  # the caller has gone away
                continue
            fate = _fate(answer, index)
            if isinstance(fate, Exception):
                each.done.set_exception(fate)
            else:
                each.done.set_result(fate)


def _fate(answer: object, index: int) -> bool | Exception:
    """What the answer to the whole write says of one document."""
    if not isinstance(answer, Failure):
        return True
    if not isinstance(answer.error, BulkWriteError):
        return answer.error
    details = answer.error.details or {}
    for refused in details.get("writeErrors", []):
        if refused["index"] == index:
            return (
                False if refused["code"] == DUPLICATE_KEY else Unavailable(f"The store ({refused['errmsg']})")
            )
    return Unavailable("The store's majority") if details.get("writeConcernErrors") else True
