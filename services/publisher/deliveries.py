"""The publications in the database: one document per submission, changed by compare-and-set alone.

The document holds the decision in force, the tombstone, all deliveries and the outbox, so that one write checks the
approval, begins the sending and tells it; see `docs/decisions/`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.publisher.delivery import Delivery, Refused
from services.publisher.documents import due_field, from_document, to_document
from services.publisher.facts import Target, changed, sampled
from services.publisher.publication import Outlet, Publication, Reading
from services.publisher.schedule import LANES, Lane
from shared.events import DELIVERY_CHANGED, REACH_SAMPLED
from shared.mongo import Collection, Document, is_duplicate
from shared.outbox import appended, embedded, entry, merge
from shared.settle import Failure, Unavailable, attempt

Step = Callable[[Publication], Publication | Refused]
"""A pure change. It may be asked again with a newer publication."""

TRIES: Final = 50
"""Compare-and-sets against other writers before giving up."""


class Deliveries:
    """The store of publications."""

    def __init__(
        self,
        collection: Collection,
        outlets: Sequence[Outlet],
        target: Target,
        *,
        clock: Callable[[], datetime],
        written: Callable[[Publication], None] = lambda _: None,
    ) -> None:
        """`written` is called after every write, to wake whoever has work now. Correctness does not need it."""
        self._collection, self.outlets, self._target = collection, tuple(outlets), target
        self._clock, self._written = clock, written

    async def prepare(self) -> None:
        """The indexes."""
        for outlet in self.outlets:
            for lane in LANES:
                await self._collection.create_index([(due_field(outlet.id, lane), 1)], sparse=True)
        await self._collection.create_index([("deliveries.id", 1)])
        await self._collection.create_index([("person_since", 1)])
        await self._collection.create_index([("changed_at", 1)])

    async def read(self, submission_id: str) -> Publication:
        """The publication as it is now; an empty one when nothing is known of the submission."""
        found = await self._collection.find_one({"_id": submission_id}, {"outbox": 0})
        return Publication(submission_id) if found is None else from_document(found)

    async def change(
        self, submission_id: str, step: Step, *, cause: UUID | None = None, known: Publication | None = None
    ) -> Publication | Refused:
        """Apply `step` and store it with what it tells, in one write. A refusal stores nothing.

        `known` saves a read: the publication as it was last seen, believed only if it is still the newest.
        Raises what `shared.mongo.is_unavailable` knows; the write may have happened then: read again.
        """
        for again in range(TRIES):
            guess = known if again == 0 and known is not None and known.version else None
            before = guess or await self.read(submission_id)
            after = step(before)
            if isinstance(after, Refused) or after == before:
                if guess is None:
                    return after
                continue
            stored = replace(after, version=before.version + 1)
            if await self._write(before.version, stored, cause):
                settled = replace(stored, told=())
                self._written(settled)
                return settled
            await asyncio.sleep(0.001 * again)
        raise Unavailable(f"submission {submission_id}: too many writers at once")

    async def _write(self, known: int, publication: Publication, cause: UUID | None) -> bool:
        now = self._clock()
        entries = [self._entry(publication, news, now, cause) for news in publication.told]
        document = to_document(publication, now)
        if known == 0:
            whole = {"_id": publication.submission_id, **document, **embedded(*entries)}
            done = await attempt(self._collection.insert_one(whole))
            if isinstance(done, Failure):
                if is_duplicate(done.error):
                    return False
                raise done.error
            return True
        update = merge({"$set": document}, appended(*entries))
        result = await self._collection.update_one(
            {"_id": publication.submission_id, "version": known}, update
        )
        return result.matched_count == 1

    def _entry(
        self, publication: Publication, news: Delivery | Reading, now: datetime, cause: UUID | None
    ) -> Document:
        if isinstance(news, Reading):
            return entry(REACH_SAMPLED, sampled(news, now))
        return entry(DELIVERY_CHANGED, changed(publication, news, self._target, now, cause))

    async def due(self, channel: str, lane: Lane, now: datetime, limit: int) -> list[str]:
        """Submissions that have something due in a lane of a channel, at most `limit` of them."""
        field = due_field(channel, lane)
        found = self._collection.find({field: {"$lte": now}}, {field: 1}).limit(limit)
        return [document["_id"] for document in await found.to_list(limit)]

    async def of_delivery(self, delivery_id: str) -> Publication | None:
        """The publication that a delivery belongs to."""
        found = await self._collection.find_one({"deliveries.id": delivery_id}, {"outbox": 0})
        return None if found is None else from_document(found)

    async def for_a_person(self, limit: int) -> list[Publication]:
        """Publications with something that a person has to look at, the longest wait first."""
        query = {"person_since": {"$type": "date"}}
        found = self._collection.find(query, {"outbox": 0}).sort("person_since", 1).limit(limit)
        return [from_document(document) for document in await found.to_list(limit)]

    async def count_for_a_person(self) -> int:
        """How many publications wait for a person."""
        return await self._collection.count_documents({"person_since": {"$type": "date"}})

    async def changed_since(self, moment: datetime, limit: int) -> list[Publication]:
        """Publications that changed since then, the newest first."""
        query = {"changed_at": {"$gte": moment}}
        found = self._collection.find(query, {"outbox": 0}).sort("changed_at", -1).limit(limit)
        return [from_document(document) for document in await found.to_list(limit)]

    async def leased(self, channel: str, now: datetime, longest: timedelta) -> list[str]:
        """Submissions of which somebody may hold a delivery to this channel: due when a lease could end."""
        ends = {"$gt": now, "$lte": now + longest}
        found: dict[str, None] = {}
        for lane in LANES:
            documents = self._collection.find({due_field(channel, lane): ends}, {"_id": 1})
            found.update((document["_id"], None) for document in await documents.to_list(None))
        return list(found)
