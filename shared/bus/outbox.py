"""The outbox: outgoing events embedded in the aggregate they come from, and the relay that publishes them.

A state change and its events are one document write: the store adds `embedded(...)` to what it inserts or merges
`appended(...)` into its update. The relay publishes each entry under the event's constant id, as often as it takes until
the right stream has confirmed, and only then removes it. A crash anywhere leaves an entry that is published again; the
broker's window and the consumers' inboxes make the second one have no effect.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.bus.consuming import Publisher
from shared.bus.left_over import LONG_AGO, LeftOvers
from shared.concurrency.wake_up import woken
from shared.events import BY_SUBJECT, TOPICS, URGENT, Event, Topic
from shared.failures import Failure, attempt
from shared.identity.signing import HEADER, sign_message
from shared.observability.telemetry import current_traceparent, published, publishing_span
from shared.storage.document import Document
from shared.storage.mongo import Collection

log = structlog.get_logger()

POLL_SECONDS: Final = 0.5
"""What another process has written waits this long at most: a dismissal by command must count everywhere in 2 s."""
LEFT_OVER_AFTER_SECONDS: Final = 2.0
"""An entry this old was left by a process that died, or by an outage."""
PAGE: Final = 200
PORTION: Final = 20
"""Documents named in one query: the server compares each document that it looks at with the whole list."""
MOST_FRUITLESS: Final = 10
"""Portions in a row of which nothing could be published: the bus is away, rather than one stream full or one entry bad."""
PUBLISHING_AT_ONCE: Final = 32
_MARKS: Final = {"outbox_since": 1, "outbox_urgent": 1}
_URGENT_SUBJECTS: Final = [topic.subject for topic in TOPICS if topic.stream == URGENT]


def entry(topic: Topic[Any], event: Event, traceparent: str | None = None) -> Document:
    """One outgoing event as it is stored, with the trace it belongs to: the current one unless another is given."""
    return {
        "event_id": str(event.event_id),
        "subject": topic.subject,
        "body": event.model_dump_json(),
        "traceparent": traceparent or current_traceparent(),
    }


def is_urgent(item: Document) -> bool:
    """Whether an entry goes ahead of what comes in bulk: its stream is not theirs, and takes it while theirs is full."""
    return BY_SUBJECT[item["subject"]].stream == URGENT


def marks(entries: Sequence[Document], at: datetime) -> Document:
    """The fields by which the relay finds a document with these entries once they are older than `at` by its patience."""
    if not entries:
        return {}
    urgent = {"outbox_urgent": at} if any(is_urgent(item) for item in entries) else {}
    return {"outbox_since": at, **urgent}


def embedded(*entries: Document) -> Document:
    """The fields to put into a new document."""
    return {"outbox": list(entries), **marks(entries, datetime.now(UTC))}


def appended(*entries: Document) -> Document:
    """The update operators that add entries to an existing document."""
    if not entries:
        return {}
    return {"$push": {"outbox": {"$each": list(entries)}}, "$set": marks(entries, datetime.now(UTC))}


def merge(*updates: Document) -> Document:
    """One update out of several. Raises `ValueError` when two of them set the same field by the same operator."""
    merged: Document = {}
    for update in updates:
        for operator, fields in update.items():
            into = merged.setdefault(operator, {})
            if clash := into.keys() & fields.keys():
                text = f"{operator} of {', '.join(sorted(clash))} is given twice"
                raise ValueError(text)
            into.update(fields)
    return merged


async def prepare(collection: Collection) -> None:
    """The indexes by which the relay finds what is left over."""
    await collection.create_index([("outbox_since", 1)], sparse=True, name="outbox")
    await collection.create_index([("outbox_urgent", 1)], sparse=True, name="outbox_urgent")


class Relay:
    """Publishes what the outboxes of some collections hold. Any number may run: they only repeat one another."""

    def __init__(
        self,
        collections: Sequence[Collection],
        publisher: Publisher,
        key: Ed25519PrivateKey | None = None,
    ) -> None:
        """`key` signs what its topic wants signed."""
        self._collections, self._publisher, self._key = collections, publisher, key
        self._nudged: dict[str, set[Any]] = {collection.name: set() for collection in collections}
        self._left_over = {collection.name: LeftOvers(collection) for collection in collections}
        self._wake = asyncio.Event()

    def nudge(self, collection: Collection, *ids: Any) -> None:
        """These documents have just been written with entries: publish them now rather than at the next poll."""
        self._nudged[collection.name].update(ids)
        self._wake.set()

    async def run(self) -> None:
        """Publish for ever: nudged documents at once, left-over ones at every poll, the urgent ones of those first."""
        loop = asyncio.get_running_loop()
        left_over_at = loop.time() - POLL_SECONDS
        while True:
            await woken(self._wake, left_over_at + POLL_SECONDS - loop.time())
            self._wake.clear()
            poll = loop.time() - left_over_at >= POLL_SECONDS
            if poll:
                # First: a stream that takes no more ends every other step of this round by its failure.
                for collection in self._collections:
                    await self._publish_urgent(collection)
            for collection in self._collections:
                await self._publish_nudged(collection)
            if poll:
                for collection in self._collections:
                    await self._publish_left_over(collection, timedelta(seconds=LEFT_OVER_AFTER_SECONDS))
                left_over_at = loop.time()

    async def drain(self) -> None:
        """Publish everything there is now. Raises what kept an entry from being published."""
        for collection in self._collections:
            self._nudged[collection.name].clear()
            await self._publish_left_over(collection, timedelta(0), whole=True)

    async def _publish_urgent(self, collection: Collection) -> None:
        """What else keeps these documents from being published is told when their turn comes."""
        until = datetime.now(UTC) - timedelta(seconds=LEFT_OVER_AFTER_SECONDS)
        marked = {"outbox_urgent": {"$gt": LONG_AGO, "$lte": until}}
        documents = await collection.find(marked, {"outbox": 1}).limit(PAGE).to_list(None)
        for portion in _portions(documents):
            await self._publish_all(collection, portion)

    async def _publish_nudged(self, collection: Collection) -> None:
        while ids := list(islice(self._nudged[collection.name], PORTION)):
            self._nudged[collection.name].difference_update(ids)
            documents = await collection.find({"_id": {"$in": ids}}, {"outbox": 1}).to_list(None)
            failure, _ = await self._publish_all(collection, documents)
            if failure is not None:
                raise failure

    async def _publish_left_over(
        self, collection: Collection, older_than: timedelta, *, whole: bool = False
    ) -> None:
        left_over = self._left_over[collection.name]
        began, failure, fruitless = left_over.since, None, 0
        async for documents in left_over.sweep(datetime.now(UTC) - older_than, whole=whole):
            for portion in _portions(documents):
                failed, done = await self._publish_all(collection, portion)
                failure = failure or failed
                fruitless = 0 if done else fruitless + 1
                if failure is not None and fruitless >= MOST_FRUITLESS:
                    break
            if failure is not None and fruitless >= MOST_FRUITLESS:
                break
        if failure is not None:
            left_over.since = began
            raise failure

    async def _publish_all(
        self, collection: Collection, documents: Sequence[Document]
    ) -> tuple[Exception | None, bool]:
        """Aggregates side by side, the entries of one aggregate in their order, urgent ones first.

        Gives the first failure, and whether anything came of it.
        """
        gate = asyncio.Semaphore(PUBLISHING_AT_ONCE)
        confirmed: list[str] = []

        async def one(document: Document) -> None:
            async with gate:
                for item in sorted(document.get("outbox", []), key=is_urgent, reverse=True):
                    await publish_entry(self._publisher, item, self._key)
                    confirmed.append(item["event_id"])

        results = await asyncio.gather(*(attempt(one(document)) for document in documents))
        await _take_out(collection, documents, confirmed)
        failures = [result.error for result in results if isinstance(result, Failure)]
        return next(iter(failures), None), len(failures) < len(documents)


async def publish_entries(publisher: Publisher, entries: Sequence[Document]) -> None:
    """Publish what a message that is being handled made happen, before it is acknowledged.

    Until this has succeeded the message comes again, so the entries need not be kept: whoever handles it must be able to
    make the same ones again. Raises `Unavailable`.
    """
    gate = asyncio.Semaphore(PUBLISHING_AT_ONCE)

    async def one(item: Document) -> None:
        async with gate:
            await publish_entry(publisher, item)

    results = await asyncio.gather(*(attempt(one(item)) for item in entries))
    for result in results:
        if isinstance(result, Failure):
            raise result.error


async def publish_entry(publisher: Publisher, item: Document, key: Ed25519PrivateKey | None = None) -> None:
    """Publish one entry, signed with `key` where its topic wants it.

    Returns when its stream has confirmed it, or raises `Unavailable`; `LookupError` when it must be signed and there is
    no key.
    """
    topic, body = BY_SUBJECT[item["subject"]], item["body"].encode()
    with publishing_span(topic.subject, item["traceparent"]) as headers:
        await publisher.publish(
            topic.subject,
            body,
            stream=topic.stream,
            message_id=item["event_id"],
            headers={**headers, **signature_of(topic, body, key)},
        )
    published(topic.subject)


def signature_of(topic: Topic[Any], body: bytes, key: Ed25519PrivateKey | None) -> dict[str, str]:
    """The header that a message on this topic must carry, if any. Raises `LookupError` when there is no key to sign with."""
    if not topic.signed:
        return {}
    if key is None:
        text = f"{topic.subject} must be signed, and this process was given no key to sign with"
        raise LookupError(text)
    return {HEADER: sign_message(topic.subject, body, key)}


def _portions(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    return (documents[start : start + PORTION] for start in range(0, len(documents), PORTION))


async def _take_out(collection: Collection, documents: Sequence[Document], confirmed: list[str]) -> None:
    """Remove confirmed entries. Most documents hold one, and are cleared by one write rather than two.

    A document without entries was left marked by a relay that died between the two writes; it is unmarked as well.
    """
    single = [document["_id"] for document in documents if len(document.get("outbox", [])) == 1]
    others = [document["_id"] for document in documents if len(document.get("outbox", [])) != 1]
    if single and confirmed:
        cleared = await collection.update_many(
            {"_id": {"$in": single}, "outbox": {"$size": 1}, "outbox.event_id": {"$in": confirmed}},
            {"$set": {"outbox": []}, "$unset": _MARKS},
        )
        if cleared.matched_count < len(single):  # some have been added to meanwhile, or were not confirmed
            others += single
    if others:
        if confirmed:
            await collection.update_many(
                {"_id": {"$in": others}}, {"$pull": {"outbox": {"event_id": {"$in": confirmed}}}}
            )
        await collection.update_many({"_id": {"$in": others}, "outbox": {"$size": 0}}, {"$unset": _MARKS})
        if any(is_urgent(item) for document in documents for item in document.get("outbox", [])):
            await collection.update_many(
                {"_id": {"$in": others}, "outbox.subject": {"$nin": _URGENT_SUBJECTS}},
                {"$unset": {"outbox_urgent": 1}},
            )
