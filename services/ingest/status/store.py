"""The ledger: ingest's read model of what the other services made of each submission."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from services.ingest.status.rules import Progress, Told, absorb, blanked, end_of, submission_of
from shared.failures import Failure, attempt
from shared.retention.model import marked, unmarked
from shared.storage.compare_and_set import Race
from shared.storage.document import Document
from shared.storage.mongo import Collection, is_duplicate


class Ledger:
    """The store: one document per submission, made by the first event about it."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection

    async def tell(self, event: Told) -> bool:
        """Take in an event; false when it changed nothing. Any order, any repetition."""
        submission_id = submission_of(event)
        race = Race("the ledger of this submission")
        while True:
            found = await self.collection.find_one({"_id": submission_id})
            before = _progress(found)
            after = absorb(before, event)
            if after == before:
                return False
            if await self._replace(submission_id, found, after, event.occurred_at):
                return True
            await race.lost()

    async def tell_all(self, events: Sequence[Told]) -> list[bool]:
        """Take in many events by one read and one write of each record; of each, whether it changed something.

        Like `tell` in any order and any repetition: what is in already changes nothing when all are told once more.
        """
        ids = sorted({submission_of(event) for event in events})
        found = {each["_id"]: each async for each in self.collection.find({"_id": {"$in": ids}})}
        records = {each: _progress(found.get(each)) for each in ids}
        told_at: dict[str, datetime] = {}
        changed = []
        for event in events:
            submission_id = submission_of(event)
            before, records[submission_id] = records[submission_id], absorb(records[submission_id], event)
            changed.append(records[submission_id] != before)
            if changed[-1]:
                told_at[submission_id] = event.occurred_at
        new = [_document(each, records[each], 1, at) for each, at in told_at.items() if each not in found]
        written = await asyncio.gather(
            self._begin(new),
            *(
                self._replace(each, found[each], records[each], at)
                for each, at in told_at.items()
                if each in found
            ),
        )
        if not all(written):  # somebody else wrote meanwhile
            for event in events:
                await self.tell(event)
        return changed

    async def of(self, submission_id: str) -> Progress:
        """What is known of a submission; nothing yet is an empty record."""
        return _progress(await self.collection.find_one({"_id": submission_id}))

    async def when(self, submission_id: str) -> tuple[Progress, datetime | None]:
        """The same, and when the last of it happened; no time when nothing is known."""
        found = await self.collection.find_one({"_id": submission_id})
        return _progress(found), None if found is None else found["told_at"]

    async def any_approved(self, submission_ids: Sequence[str]) -> bool:
        """Whether moderation's last word on any of these submissions was yes."""
        known = await self.of_all(list(submission_ids))
        return any(
            each.decision is not None and each.decision.verdict == "approve" for each in known.values()
        )

    async def of_all(self, submission_ids: list[str]) -> dict[str, Progress]:
        """What is known of several submissions; those of which nothing is known are absent."""
        found = self.collection.find({"_id": {"$in": submission_ids}})
        return {document["_id"]: _progress(document) async for document in found}

    async def erase(self, submission_id: str) -> None:
        """Take away what anybody wrote, and the mark. Repeating it changes nothing; what is told later marks it anew."""
        race = Race("the ledger of this submission")
        while (found := await self.collection.find_one({"_id": submission_id})) is not None:
            document = _document(
                submission_id, blanked(_progress(found)), int(found["writes"]) + 1, found["told_at"]
            )
            kept = {name: value for name, value in document.items() if name not in unmarked()}
            done = await self.collection.replace_one({"_id": submission_id, "writes": found["writes"]}, kept)
            if done.modified_count:
                return
            await race.lost()

    async def _replace(
        self, submission_id: str, found: Document | None, after: Progress, at: datetime
    ) -> bool:
        """Write `after` unless somebody else has written since; false then."""
        if found is None:
            return await self._begin([_document(submission_id, after, 1, at)])
        done = await self.collection.replace_one(
            {"_id": submission_id, "writes": found["writes"]},
            _document(submission_id, after, int(found["writes"]) + 1, at),
        )
        return done.modified_count > 0

    async def _begin(self, documents: list[Document]) -> bool:
        """Write records that are new; false when somebody else has begun one of them."""
        if not documents:
            return True
        stored = await attempt(self.collection.insert_many(documents, ordered=False))
        if isinstance(stored, Failure):
            if is_duplicate(stored.error):
                return False
            raise stored.error
        return True


def _document(submission_id: str, progress: Progress, writes: int, at: datetime) -> Document:
    return {
        "_id": submission_id,
        "writes": writes,
        "progress": progress.model_dump(),
        "told_at": at,
        **marked(end_of(progress, at)),
    }


def _progress(document: Document | None) -> Progress:
    return Progress() if document is None else Progress.model_validate(document["progress"])
