"""The publications in the database: one document per submission, changed by compare-and-set alone.

The document holds the decision in force, the tombstone, all deliveries and the outbox, so that one write checks the
approval, begins the sending and tells it; see `docs/decisions/`. Steps of one publication that wait at the same time
share one write, which starts from what this process saw last; only a write that succeeds, or a fresh read, proves that
this was the newest.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.publisher.deliveries.documents import due_field, due_in, from_document, to_document
from services.publisher.deliveries.model import Delivery, Refused
from services.publisher.deliveries.outgoing import Target, changed, sampled
from services.publisher.deliveries.publication import Outlet, Publication, Reading
from services.publisher.deliveries.retry_policy import LANES, Lane
from shared.bus.left_over import LONG_AGO
from shared.bus.outbox import appended, embedded, entry, merge
from shared.events import DELIVERY_CHANGED, REACH_SAMPLED
from shared.failures import Failure, Meaning, attempt
from shared.retention.model import AS, unmarked
from shared.storage.compare_and_set import Race
from shared.storage.document import Document
from shared.storage.mongo import Collection, is_duplicate

Step = Callable[[Publication], Publication | Refused]
"""A pure change. It may be asked again with a newer publication."""

News = tuple[Delivery | Reading, UUID | None]
"""What is to be told, and the event that caused it."""

REMEMBERED: Final = 256
"""Publications kept as this process saw them last."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """A step that waits to be taken."""

    step: Step
    cause: UUID | None
    answer: "asyncio.Future[Publication | Refused]"


@dataclass(slots=True)
class _Line:
    """The steps that wait for one publication, and who takes them."""

    wishes: list[_Wish] = field(default_factory=list)
    served: bool = False


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
        self._lines: dict[str, _Line] = {}
        self._seen: OrderedDict[str, Publication] = OrderedDict()
        self._serving: set[asyncio.Task[None]] = set()

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
        if found is None:
            return Publication(submission_id)
        return self._remember(from_document(found))

    def seen(self, submission_id: str) -> Publication | None:
        """The publication as this process saw it last, if it still remembers. It may be out of date."""
        return self._seen.get(submission_id)

    async def change(
        self, submission_id: str, step: Step, *, cause: UUID | None = None
    ) -> Publication | Refused:
        """Apply `step` and store it with what it tells, in one write. A refusal stores nothing.

        Raises what `shared.storage.mongo.is_unavailable` knows; the write may have happened then: read again.
        """
        wish = _Wish(step, cause, asyncio.get_running_loop().create_future())
        line = self._lines.setdefault(submission_id, _Line())
        line.wishes.append(wish)
        if not line.served:
            line.served = True
            task = asyncio.create_task(self._serve(submission_id, line))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        return await wish.answer

    async def _serve(self, submission_id: str, line: _Line) -> None:
        """Take the steps that wait, together what waits together, until none is left."""
        try:
            while line.wishes:
                wishes, line.wishes = line.wishes, []
                await self._take(submission_id, wishes)
        finally:
            del self._lines[submission_id]

    async def _take(self, submission_id: str, wishes: Sequence[_Wish]) -> None:
        done = await attempt(self._take_together(submission_id, wishes))
        if not isinstance(done, Failure):
            return
        self._seen.pop(submission_id, None)
        for wish in wishes:
            if len(wishes) > 1 and done.meaning is Meaning.FAILED:  # one of them is at fault: each by itself
                await self._take(submission_id, [wish])
            elif not wish.answer.done():
                wish.answer.set_exception(done.error)

    async def _take_together(self, submission_id: str, wishes: Sequence[_Wish]) -> None:
        race = Race(f"submission {submission_id}")
        guess = self.seen(submission_id)
        while True:
            before = guess or await self.read(submission_id)
            after, news, refusals = _apply(before, wishes)
            if after == before:
                if guess is not None:  # that nothing is to be done is believed only on a fresh read
                    guess = None
                    continue
                stored = before
            else:
                stored = replace(after, version=before.version + 1)
                if not await self._write(before, stored, news):
                    self._seen.pop(submission_id, None)
                    guess = None
                    await race.lost()
                    continue
                self._remember(stored)
                self._written(stored)
            for wish, refusal in zip(wishes, refusals, strict=True):
                if not wish.answer.done():
                    wish.answer.set_result(refusal or stored)
            return

    def _remember(self, publication: Publication) -> Publication:
        known = self._seen.get(publication.submission_id)
        if known is None or known.version <= publication.version:
            self._seen[publication.submission_id] = publication
        self._seen.move_to_end(publication.submission_id)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return publication

    async def _write(self, before: Publication, after: Publication, news: Sequence[News]) -> bool:
        now = self._clock()
        entries = [self._entry(after, each, now, cause) for each, cause in news]
        document = to_document(after, now)
        if before.version == 0:
            whole = {"_id": after.submission_id, **document, **embedded(*entries)}
            done = await attempt(self._collection.insert_one(whole))
            if isinstance(done, Failure):
                if is_duplicate(done.error):
                    return False
                raise done.error
            return True
        if after.snapshots == before.snapshots:
            del document["snapshots"]
        elif after.end is not None and after == after.blank:  # nothing happened to it that anybody has to see
            del document["changed_at"]
        gone = {} if AS in document else {"$unset": unmarked()}
        update = merge({"$set": document}, gone, appended(*entries))
        result = await self._collection.update_one(
            {"_id": after.submission_id, "version": before.version}, update
        )
        return result.matched_count == 1

    def _entry(
        self, publication: Publication, news: Delivery | Reading, now: datetime, cause: UUID | None
    ) -> Document:
        if isinstance(news, Reading):
            return entry(REACH_SAMPLED, sampled(news, now))
        return entry(DELIVERY_CHANGED, changed(publication, news, self._target, now, cause))

    async def due(self, channel: str, lane: Lane, until: datetime) -> list[tuple[datetime, str]]:
        """What is due in a lane of a channel up to a time: since when, and of which submission."""
        field = due_field(channel, lane)
        found = self._collection.find({field: {"$gt": LONG_AGO, "$lte": until}}, {field: 1})
        return [(due_in(document, channel, lane), document["_id"]) for document in await found.to_list(None)]

    async def count_due(self, channel: str, lane: Lane, until: datetime) -> int:
        """How many submissions have something in a lane of a channel that is due since before then."""
        field = due_field(channel, lane)
        return await self._collection.count_documents({field: {"$gt": LONG_AGO, "$lte": until}})

    async def of_delivery(self, delivery_id: str) -> Publication | None:
        """The publication that a delivery belongs to."""
        found = await self._collection.find_one({"deliveries.id": delivery_id}, {"outbox": 0})
        return None if found is None else from_document(found)

    async def for_a_person(
        self, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[tuple[Publication, datetime]]:
        """Publications with something that a person has to look at, the longest wait first, and since when it waits.

        `after` is the time and submission at which the page before ended.
        """
        query: Document = {"person_since": {"$gt": LONG_AGO}}
        if after is not None:
            since, last = after
            query = {"$or": [{"person_since": {"$gt": since}}, {"person_since": since, "_id": {"$gt": last}}]}
        order = [("person_since", 1), ("_id", 1)]
        found = self._collection.find(query, {"outbox": 0}).sort(order).limit(limit)
        return [
            (from_document(document), document["person_since"]) for document in await found.to_list(limit)
        ]

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


def _apply(
    before: Publication, wishes: Sequence[_Wish]
) -> tuple[Publication, list[News], list[Refused | None]]:
    """The publication after all steps that fit, what they tell, and which of them did not fit."""
    news: list[News] = []
    refusals: list[Refused | None] = []
    for wish in wishes:
        after = wish.step(before)
        if isinstance(after, Refused):
            refusals.append(after)
            continue
        refusals.append(None)
        news += [(each, wish.cause) for each in after.told]
        before = replace(after, told=())
    return before, news, refusals
