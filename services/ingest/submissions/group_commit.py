"""Many inserts, one write: documents that arrive while a write is under way go together into the next one.

Each caller still learns its own document's fate, and only after a majority has it on disk.
"""

from typing import Final

from pymongo.errors import BulkWriteError

from services.ingest import telemetry
from shared.concurrency.batcher import Batcher
from shared.failures import Failure, Meaning, Unavailable, attempt
from shared.storage.mongo import DUPLICATE_KEY, Collection, Document

MOST_AT_ONCE: Final = 500
"""Documents of one write."""


class GroupCommit:
    """Inserts into one collection. Holds nothing once every call has returned."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._batcher = Batcher(self._write, most=MOST_AT_ONCE)

    async def insert(self, document: Document) -> bool:
        """Store `document`; false when one with its `_id` is there already.

        Raises what `shared.storage.mongo.is_unavailable` knows, or `Unavailable`: then it may or may not be stored.
        """
        return await self._batcher.call(document)

    async def _write(self, documents: list[Document]) -> list[bool | Exception]:
        telemetry.batch_written(len(documents))
        answer = await attempt(self._collection.insert_many(documents, ordered=False))
        if not isinstance(answer, Failure):
            return [True] * len(documents)
        if isinstance(answer.error, BulkWriteError):
            return _fates(answer.error, len(documents))
        if answer.meaning is Meaning.FAILED and len(documents) > 1:
            # One that no driver can encode must not refuse the others.
            return [fate for document in documents for fate in await self._write([document])]
        return [answer.error] * len(documents)


def _fates(error: BulkWriteError, count: int) -> list[bool | Exception]:
    """What the answer to a write that failed in part says of each document."""
    details = error.details or {}
    unsure = Unavailable("The store's majority") if details.get("writeConcernErrors") else None
    fates: list[bool | Exception] = [unsure or True] * count
    for refused in details.get("writeErrors", []):
        known = refused["code"] == DUPLICATE_KEY
        fates[refused["index"]] = False if known else Unavailable(f"The store ({refused.get('errmsg', '')})")
    return fates
