"""The ledger: ingest's read model of what the other services made of each submission."""

from datetime import datetime
from typing import Final

from services.ingest.status.rules import Progress, Told, absorb, submission_of
from shared.failures import Failure, Unavailable, attempt
from shared.storage.mongo import Collection, Document, is_duplicate

TRIES: Final = 20
"""Compare-and-set attempts before an event is left to come again."""


class Ledger:
    """The store: one document per submission, made by the first event about it."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def tell(self, event: Told) -> bool:
        """Take in an event; false when it changed nothing. Any order, any repetition."""
        submission_id = submission_of(event)
        for _ in range(TRIES):
            found = await self._collection.find_one({"_id": submission_id})
            before = _progress(found)
            after = absorb(before, event)
            if after == before:
                return False
            if await self._replace(submission_id, found, after, event.occurred_at):
                return True
        raise Unavailable("The ledger")

    async def of(self, submission_id: str) -> Progress:
        """What is known of a submission; nothing yet is an empty record."""
        return _progress(await self._collection.find_one({"_id": submission_id}))

    async def of_all(self, submission_ids: list[str]) -> dict[str, Progress]:
        """What is known of several submissions; those of which nothing is known are absent."""
        found = self._collection.find({"_id": {"$in": submission_ids}})
        return {document["_id"]: _progress(document) async for document in found}

    async def _replace(
        self, submission_id: str, found: Document | None, after: Progress, at: datetime
    ) -> bool:
        """Write `after` unless somebody else has written since; false then."""
        writes = 1 if found is None else int(found["writes"]) + 1
        document: Document = {"writes": writes, "progress": after.model_dump(), "told_at": at}
        if found is not None:
            done = await self._collection.replace_one(
                {"_id": submission_id, "writes": found["writes"]}, {"_id": submission_id, **document}
            )
            return done.modified_count > 0
        stored = await attempt(self._collection.insert_one({"_id": submission_id, **document}))
        if isinstance(stored, Failure):
            if is_duplicate(stored.error):
                return False
            raise stored.error
        return True


def _progress(document: Document | None) -> Progress:
    return Progress() if document is None else Progress.model_validate(document["progress"])
