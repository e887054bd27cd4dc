"""A log of numbered documents, each written once. Whoever writes number n has taken in everything before it.

The number is the fence: if somebody else was faster, the database refuses the second n, and the slower one reads on and
decides again. Reading goes by ranges bounded on both ends of the primary key, so that it costs the same at any length.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from shared.failures import Unavailable
from shared.storage.document import Document
from shared.storage.mongo import BulkWriteError, Collection, is_duplicate

PAGE: Final = 64


class NumberedLog:
    """The documents of one collection, whose `_id` is their number."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def append(self, documents: Sequence[Document]) -> int:
        """Write consecutive documents; how many of the first took their numbers before somebody else did.

        A time-out may mean that some are written: reading on from the last number known tells.
        """
        try:
            await self._collection.insert_many(documents, ordered=True)
        except BulkWriteError as error:
            if not is_duplicate(error):
                raise
            return int((error.details or {})["writeErrors"][0]["index"])
        return len(documents)

    async def after(self, number: int, until: int | None = None) -> AsyncIterator[Document]:
        """The documents behind a number, in order. Raises `Unavailable` when one is missing in between."""
        while True:
            top = number + PAGE if until is None else min(until, number + PAGE)
            cursor = self._collection.find({"_id": {"$gt": number, "$lte": top}}).sort("_id", 1)
            documents = await cursor.to_list(None)
            for document in documents:
                if document["_id"] != number + 1:
                    text = f"{self._collection.name} (number {number + 1} cannot be read yet)"
                    raise Unavailable(text)
                number += 1
                yield document
            if len(documents) < PAGE:
                return
