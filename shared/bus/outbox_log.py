"""The outbox of documents that are inserted many at a time: a log, a checkpoint, and no second write.

`shared.bus.outbox` reads each document back, publishes its entries and clears them: more work than the change itself. Where
documents are inserted, and their events follow from what is inserted, the insert is enough. Those inserted together
carry one *log sequence*, `writer:number`. The process publishes their events from memory, and writes a *checkpoint* now
and then: up to this number the streams have confirmed everything. While anything lies behind it the checkpoint is a
*lease* too; when that runs out, any other process publishes what lies behind, found by a range of the index.
So a death costs nothing, wherever it strikes:

- before or in the insert: nobody was told that anything is stored; the range finds what has landed
- between the insert and the streams' confirmations: the range finds it, and it is published under the same ids
- between the confirmations and the checkpoint: published again, and known again by broker and consumers

Two things let a document land later than expected. An insert of unknown outcome is repeated until the store says of each
document that it is there, so that no late one can follow; meanwhile the checkpoint stays behind it. And a process may
stand still between looking at its lease and inserting, and be killed when it goes on: an expired checkpoint is kept, and
what lies behind it is looked for again, up to a day later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final
from uuid import uuid4

import structlog

from shared.bus.left_over import LONG_AGO
from shared.bus.outbox import PAGE, PUBLISHING_AT_ONCE
from shared.failures import Failure, Meaning, Unavailable, attempt, meaning_of
from shared.storage.document import Document
from shared.storage.mongo import DUPLICATE_KEY, BulkWriteError, Collection, PyMongoError, WriteError

log = structlog.get_logger()

FIELD: Final = "log"
"""Where a document carries its log sequence. Taken away when its events had to be looked for."""
MOST_IN_MEMORY: Final = 2_000
"""Documents whose events wait in memory; those of further batches are read back when the streams take events again."""
LAST: Final = 10**12 - 1
"""No number of a log is as high."""

Fate = bool | Exception
"""Stored now, or there before, or what kept that from being known."""


@dataclass(frozen=True, slots=True)
class LogPace:
    """How often and for how long, in seconds."""

    checkpoint: float = 0.5
    renewal: float = 2.0
    """The lease is renewed when the checkpoint is this old and something lies behind it."""
    stale: float = 5.0
    """The lease is renewed before an insert when the checkpoint is older."""
    lease: float = 10.0
    scans: tuple[float, ...] = (60.0, 600.0, 3600.0, 86_400.0)
    """When it is looked again behind a checkpoint that has run out, counted from then. Afterwards it is deleted."""

    def __post_init__(self) -> None:
        if not self.renewal < self.lease > self.stale:
            text = "a lease must outlast its renewal, and what is done without looking at it"
            raise ValueError(text)


class Numbers:
    """The numbers of a log, and which of them are not confirmed yet. Pure."""

    def __init__(self) -> None:
        self._last = 0
        self._open: dict[int, None] = {}

    def begin(self) -> int:
        """The next number."""
        self._last += 1
        self._open[self._last] = None
        return self._last

    def confirm(self, number: int) -> None:
        """Everything under this number is published."""
        self._open.pop(number, None)

    @property
    def confirmed(self) -> int:
        """The highest number up to which all are confirmed; 0 at first."""
        return next(iter(self._open), self._last + 1) - 1

    @property
    def all_confirmed(self) -> bool:
        """Whether none is open."""
        return not self._open


def sequence_of(writer: str, number: int, index: int | None = None) -> str:
    """A log sequence: those of one writer sort by their numbers. Each document of a batch has its own."""
    batch = f"{writer}:{number:012d}"
    return batch if index is None else f"{batch}.{index}"


def between(writer: str, first: int, last: int) -> Document:
    """The filter for the documents of these batches of a writer: a range of the index, bounded on both ends."""
    return {FIELD: {"$gte": sequence_of(writer, first), "$lt": sequence_of(writer, last + 1)}}


class OutboxLog:
    """One process's log over one collection."""

    def __init__(
        self,
        collection: Collection,
        checkpoints: Collection,
        *,
        events_of: Callable[[Document], Sequence[Document]],
        publish: Callable[[Document], Awaitable[None]],
        pace: LogPace | None = None,
    ) -> None:
        """`publish` publishes one entry and returns when its stream has confirmed it.

        `events_of` gives the entries (`shared.bus.outbox.entry`) of an inserted document: for ever the same, whatever else
        has been written to the document since.
        """
        self.collection, self._checkpoints = collection, checkpoints
        self._events_of, self._publish = events_of, publish
        self._pace = pace or LogPace()
        self.writer = uuid4().hex
        self._numbers = Numbers()
        self._publishing: dict[asyncio.Task[None], int] = {}
        """Batches whose events are in memory, with the number of their documents."""
        self._behind: dict[int, list[Document]] = {}
        """Batches to be read back, with their documents of which it is unknown whether they are stored."""
        self._gate = asyncio.Semaphore(PUBLISHING_AT_ONCE)
        self._checkpoint: tuple[float, int] = (float("-inf"), 0)
        """When it was written, and what it says."""

    async def prepare(self) -> None:
        """Make the index."""
        await self.collection.create_index([(FIELD, 1)], sparse=True, name="log")

    async def insert(self, documents: list[Document]) -> list[Fate]:
        """Insert documents together, and publish their events soon. Says what became of each.

        Raises what keeps the lease from being renewed; nothing is stored then.
        """
        if monotonic() - self._checkpoint[0] > self._pace.stale:
            await self.checkpoint()
        number = self._numbers.begin()
        for index, document in enumerate(documents):
            document[FIELD] = sequence_of(self.writer, number, index)
        fates: list[Fate] = [Unavailable("This process, which is stopping,")] * len(documents)
        try:
            fates = await self._insert(documents)
        finally:
            self._hand_over(number, documents, fates)
        return fates

    async def run(self) -> None:
        """Catch up, write the checkpoint, adopt what others left behind; for ever."""
        adopted_at = float("-inf")
        while True:
            await self.catch_up()
            written_at, says = self._checkpoint
            lapsing = not self._numbers.all_confirmed and monotonic() - written_at > self._pace.renewal
            if lapsing or says != self._numbers.confirmed:
                await self.checkpoint()
            if monotonic() - adopted_at > self._pace.renewal:
                await self.adopt()
                adopted_at = monotonic()
            await asyncio.sleep(self._pace.checkpoint)

    async def checkpoint(self) -> None:
        """Write how far everything is confirmed, and renew the lease."""
        began, confirmed = monotonic(), self._numbers.confirmed
        expires = datetime.now(UTC) + timedelta(seconds=self._pace.lease)
        says = {"collection": self.collection.name, "confirmed": confirmed}
        await self._checkpoints.update_one(
            {"_id": self.writer},
            {"$set": {**says, "expires": expires, "due": expires, "scans": 0}},
            upsert=True,
        )
        self._checkpoint = (began, confirmed)

    async def adopt(self) -> None:
        """Publish what lies behind the checkpoints of processes that let theirs run out."""
        overdue = {"$gt": LONG_AGO, "$lte": datetime.now(UTC)}
        found = self._checkpoints.find({"collection": self.collection.name, "due": overdue})
        for each in await found.to_list(None):
            if each["_id"] != self.writer:
                done = await attempt(self._adopt(each))
                if isinstance(done, Failure):
                    log.warning("outbox_log_adoption_failed", writer=each["_id"], reason=done.reason)

    async def close(self) -> None:
        """Nothing is inserted any more: let what is in memory go out. No checkpoint stays when nothing lies behind it."""
        if self._publishing:
            await asyncio.wait(self._publishing)
        if self._numbers.all_confirmed:
            self._checkpoint = (float("-inf"), self._numbers.confirmed)
            await self._checkpoints.delete_one({"_id": self.writer})
        else:
            await self.checkpoint()

    async def _insert(self, documents: list[Document]) -> list[Fate]:
        answer = await attempt(self.collection.insert_many(documents, ordered=False))
        if not isinstance(answer, Failure):
            return [True] * len(documents)
        if isinstance(answer.error, BulkWriteError):
            return await self._recognised(documents, _fates(answer.error, len(documents)))
        if answer.meaning is Meaning.FAILED and len(documents) > 1:
            # One that no driver can encode must not refuse the others.
            return [fate for document in documents for fate in await self._insert([document])]
        return [answer.error] * len(documents)

    async def _recognised(self, documents: list[Document], fates: list[Fate]) -> list[Fate]:
        """Told apart by what is stored: this very document, when its insert was tried twice, or what was there before.

        Of the latter the stored document's events are published, not the new one's: the process that stored it may not
        have come to it, and this caller, too, will be told that it is stored.
        """
        refused = [index for index, fate in enumerate(fates) if fate is False]
        if not refused:
            return fates
        ids = list({documents[index]["_id"] for index in refused})
        found = await attempt(self.collection.find({"_id": {"$in": ids}}).to_list(None))
        if isinstance(found, Failure):
            return [found.error if fate is False else fate for fate in fates]
        stored = {each["_id"]: each for each in found}
        own = {document[FIELD] for document in documents}
        for index in refused:
            there = stored.get(documents[index]["_id"], {})
            fates[index] = there.get(FIELD) == documents[index][FIELD]
        before = [each for each in found if each.get(FIELD) not in own and self._may_be_unpublished(each)]
        if before:
            self._publish_in_background(None, before)
        return fates

    def _may_be_unpublished(self, stored: Document) -> bool:
        writer, _, rest = stored.get(FIELD, "").partition(":")
        return bool(rest) and (writer != self.writer or int(rest.partition(".")[0]) > self._numbers.confirmed)

    def _hand_over(self, number: int, documents: list[Document], fates: list[Fate]) -> None:
        """Decide how a batch comes to be confirmed."""
        stored, unknown = [], []
        for document, fate in zip(documents, fates, strict=True):
            if fate is True:
                stored.append(document)
            elif _is_unknown(fate):
                unknown.append(document)
        if unknown or sum(self._publishing.values()) + len(stored) > MOST_IN_MEMORY:
            self._behind[number] = unknown
        elif stored:
            self._publish_in_background(number, stored)
        else:
            self._numbers.confirm(number)

    def _publish_in_background(self, number: int | None, documents: list[Document]) -> None:
        # In a context of its own: it belongs to no caller's trace.
        publishing = self._publish_batch(number, documents)
        task = asyncio.create_task(publishing, name="outbox-log", context=Context())
        self._publishing[task] = len(documents)
        task.add_done_callback(self._publishing.pop)

    async def _publish_batch(self, number: int | None, documents: list[Document]) -> None:
        failures = [told for told in await self._tell_all(documents) if isinstance(told, Failure)]
        if number is None:
            return
        if failures:
            log.warning("outbox_log_behind", number=number, reason=failures[0].reason)
            self._behind[number] = []
        else:
            self._numbers.confirm(number)

    async def catch_up(self) -> None:
        """Settle the batches that are behind. The first that fails ends it for now, and the others go first next time."""
        for number in list(self._behind):
            done = await attempt(self._settle(number))
            if isinstance(done, Failure):
                self._behind[number] = self._behind.pop(number)
                log.warning("outbox_log_behind", number=number, reason=done.reason)
                return
            del self._behind[number]
            self._numbers.confirm(number)

    async def _settle(self, number: int) -> None:
        """Insert what may not be stored until it is known to be, and publish what is."""
        for fate in await self._insert(self._behind[number]) if self._behind[number] else []:
            if isinstance(fate, Exception) and meaning_of(fate) is Meaning.UNAVAILABLE:
                raise fate
        self._behind[number] = []
        await self._publish_found(between(self.writer, number, number))

    async def _adopt(self, checkpoint: Document) -> None:
        writer, scans = checkpoint["_id"], checkpoint["scans"]
        count = await self._publish_found(between(writer, checkpoint["confirmed"] + 1, LAST - 1))
        if count:
            log.warning("outbox_log_adopted", writer=writer, scan=scans, documents=count)
        as_read = {"_id": writer, "due": checkpoint["due"]}
        if scans == len(self._pace.scans):
            await self._checkpoints.delete_one(as_read)
            return
        due = checkpoint["expires"] + timedelta(seconds=self._pace.scans[scans])
        await self._checkpoints.update_one(as_read, {"$set": {"due": due, "scans": scans + 1}})

    async def _publish_found(self, sequences: Document) -> int:
        """Publish the events of all documents in a range, and let them be found no more; how many."""
        count = 0
        while found := await self.collection.find(sequences).limit(PAGE).to_list(None):
            told = await self._tell_all(found)
            published = [
                document["_id"]
                for document, each in zip(found, told, strict=True)
                if not isinstance(each, Failure)
            ]
            if published:
                await self.collection.update_many(
                    {"_id": {"$in": published}, **sequences}, {"$unset": {FIELD: ""}}
                )
            for each in told:
                if isinstance(each, Failure):
                    raise each.error
            count += len(published)
        return count

    async def _tell_all(self, documents: list[Document]) -> list[Failure | None]:
        return await asyncio.gather(*(attempt(self._tell(document)) for document in documents))

    async def _tell(self, document: Document) -> None:
        async with self._gate:
            for item in self._events_of(document):
                await self._publish(item)


def _is_unknown(fate: Fate) -> bool:
    """Whether the document may have been stored, or may be yet: neither encoding it failed nor did the server refuse it."""
    return isinstance(fate, PyMongoError | Unavailable) and not isinstance(fate, WriteError)


def _fates(error: BulkWriteError, count: int) -> list[Fate]:
    """What the answer to a write that failed in part says of each document."""
    details = error.details or {}
    unknown = Unavailable("The store's majority") if details.get("writeConcernErrors") else None
    fates: list[Fate] = [unknown or True] * count
    for refused in details.get("writeErrors", []):
        known = refused["code"] == DUPLICATE_KEY
        fates[refused["index"]] = (
            False if known else WriteError(refused.get("errmsg", ""), refused["code"], refused)
        )
    return fates
