"""P9: what is left over is drained at the same cost per item, however much of it there is.

The left-overs are written by the stores themselves: one of each, and then copies of it under other ids. What an item
costs is processor time of the database, the broker and the draining process together, which other work on the machine
disturbs less than the time on the clock.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

from services.publisher.channels.port import Capabilities
from shared.bus.consuming import Publisher
from shared.bus.outbox import Relay, embedded, entry, prepare
from shared.bus.outbox_log import FIELD, OutboxLog, sequence_of
from shared.events import REACH_CLICKED, ReachClicked
from shared.storage.document import Document
from shared.storage.mongo import Collection
from tests.bench.counting import Bed, bench_bed
from tests.bench.report import Finding, at_most
from tests.support.builders.moderation_stores import Stage
from tests.support.builders.newsroom import Channel, Newsroom
from tests.support.builders.submissions import submission
from tests.support.processes import cpu_seconds

FEW: Final = 1_000
MANY: Final = 20_000
MANY_DUE: Final = 10_000
AT_ONCE: Final = 500
TOGETHER: Final = 25
"""Submissions that were accepted by one write."""
RATIO: Final = 1.2

Drain = Callable[[], Awaitable[int]]
"""Drains, and tells how many items were done."""


async def _compared(
    what: str, many: int, prepared: Callable[[Bed, int], Awaitable[Drain]]
) -> AsyncIterator[Finding]:
    """What one item costs when there are many, against what it costs when there are few."""
    costs = []
    for count in (FEW, many):
        async with bench_bed() as bed:
            costs.append(await _cost(bed, await prepared(bed, count)))
    few, lots = costs
    yield at_most("P9", f"{what}: cost per item at {many:,} against {FEW:,}", lots / few, RATIO, "×")
    yield Finding(
        "P9",
        f"{what}: cost per item at {many:,}",
        lots * 1000,
        "ms",
        baseline=few * 1000,
        baseline_is=f"at {FEW:,}",
    )


async def _cost(bed: Bed, drain: Drain) -> float:
    """Seconds of processor time per item."""

    def used() -> float:
        return time.process_time() + sum(cpu_seconds(pid) for pid in bed.pids)

    before = used()
    done = await drain()
    return (used() - before) / done


async def _outbox(bed: Bed, count: int) -> Drain:
    """Entries that a process left when it died."""
    collection = bed.client["ingest"]["submissions"]
    await prepare(collection)
    for _ in range(count // AT_ONCE):
        made: list[Document] = []
        for _ in range(AT_ONCE):
            event = ReachClicked(
                event_id=uuid4(),
                occurred_at=datetime.now(UTC),
                subject_id="aaaaaaaaaa",
                version=1,
                code="aaaaaaaaaa",
            )
            made.append({"_id": uuid4().hex, "version": 1, **embedded(entry(REACH_CLICKED, event))})
        await collection.insert_many(made, ordered=False)
    relay = Relay([collection], Publisher(bed.link))

    async def drain() -> int:
        await relay.drain()
        return count

    return drain


async def _logged(bed: Bed, count: int) -> Drain:
    """Accepted submissions whose process died before the streams had their events."""
    database, publisher, past = (
        bed.client["ingest"],
        Publisher(bed.link),
        datetime.now(UTC) - timedelta(hours=1),
    )

    async def publish(item: Document) -> None:
        await publisher.publish(
            item["subject"],
            item["body"].encode(),
            stream=REACH_CLICKED.stream,
            message_id=item["event_id"],
        )

    def events_of(document: Document) -> list[Document]:
        return [
            entry(
                REACH_CLICKED,
                ReachClicked(
                    event_id=UUID(document["_id"]),
                    occurred_at=past,
                    subject_id="aaaaaaaaaa",
                    version=1,
                    code="aaaaaaaaaa",
                ),
            )
        ]

    checkpoints = database["checkpoints"]
    log = OutboxLog(database["submissions"], checkpoints, events_of=events_of, publish=publish)
    await log.prepare()
    dead = {
        "_id": "dead",
        "collection": "submissions",
        "confirmed": 0,
        "expires": past,
        "due": past,
        "scans": 0,
    }
    await checkpoints.insert_one(dead)
    for number in range(1, count // TOGETHER + 1):
        await log.collection.insert_many(
            [
                {"_id": uuid4().hex, "body": "x" * 600, FIELD: sequence_of("dead", number, index)}
                for index in range(TOGETHER)
            ],
            ordered=False,
        )

    async def drain() -> int:
        await log.adopt()
        return count

    return drain


async def _unsealed(bed: Bed, count: int) -> Drain:
    """Cases that changed since the last seal."""
    stage = await Stage.on(bed.client["moderation"])
    received = submission()
    await stage.open(received)
    await _copies(stage.cases.collection, received.subject_id, count)

    async def drain() -> int:
        await stage.checkpoints.drain()
        return count

    return drain


async def _due(bed: Bed, count: int) -> Drain:
    """Deliveries that are due all at once. The first thousand are drained: with all of them waiting behind."""
    channel = Channel(
        capabilities=Capabilities(lookup=True, idempotent=True, read_back=False, remove=True, sample=False)
    )
    newsroom = Newsroom(bed.client["publisher"], channel)
    await newsroom.deliveries.prepare()
    await newsroom.approve()
    await _copies(newsroom.collection, "s", count)
    lane = newsroom.worker.lanes["send"]

    async def drain() -> int:
        while len(channel.wall) < FEW:
            await lane.drain()
        return len(channel.wall)

    return drain


async def _copies(collection: Collection, original: str, count: int) -> None:
    """`count` documents in all, like the one with this id, each changed a moment before the one before it."""
    found = await collection.find_one({"_id": original})
    assert found is not None
    names = {original, *(each["id"] for each in found.get("deliveries", []))}
    for start in range(1, count, AT_ONCE):
        numbers = range(start, min(count, start + AT_ONCE))
        await collection.insert_many([_like(found, number, names) for number in numbers], ordered=False)


def _like(value: Any, number: int, names: set[str]) -> Any:
    match value:
        case dict():
            return {key: _like(each, number, names) for key, each in value.items()}
        case list():
            return [_like(each, number, names) for each in value]
        case datetime():
            return value - timedelta(milliseconds=number)
        case str() if value in names:
            return f"{value[:-6] if len(value) > 6 else value}{number:06}"
    return value


PARTS: Final = (
    partial(_compared, "left-over outbox entries", MANY, _outbox),
    partial(_compared, "left-over accepted submissions", MANY, _logged),
    partial(_compared, "unsealed decisions", MANY, _unsealed),
    partial(_compared, "due deliveries", MANY_DUE, _due),
)
