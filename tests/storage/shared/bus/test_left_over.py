"""What outboxes leave over, on the real database: all of it is found, whoever writes late, and read about once."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, cast
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.bus import left_over
from shared.bus.consuming import Publisher
from shared.bus.left_over import LATE, LONG_AGO, LeftOvers
from shared.bus.outbox import PORTION, Relay, entry, prepare
from shared.events import SUBMISSION_WITHDRAWN, SubmissionWithdrawn
from shared.failures import Unavailable
from shared.storage.document import Document
from shared.storage.mongo import Collection, Cursor, Database, UpdateResult

KEY = Ed25519PrivateKey.generate()
NOW: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
MOST: Final = 8


class Watched:
    """A collection that counts what is read from it, and notes the longest list in a filter."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.read = 0
        self.longest = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    def find(self, filter_: Mapping[str, Any], *arguments: Any) -> Cursor:
        self._measure(filter_)
        cursor = self._collection.find(filter_, *arguments)
        to_list = cursor.to_list

        async def counted(length: int | None = None) -> list[Document]:
            found = await to_list(length)
            self.read += len(found)
            return found

        cursor.to_list = counted  # type: ignore[method-assign]  # what is read through it is counted
        return cursor

    async def update_many(self, filter_: Mapping[str, Any], update: Any) -> UpdateResult:
        self._measure(filter_)
        return await self._collection.update_many(filter_, update)

    def _measure(self, filter_: Mapping[str, Any]) -> None:
        lists = [each["$in"] for each in filter_.values() if isinstance(each, dict) and "$in" in each]
        self.longest = max([self.longest, *map(len, lists)])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_over, "MOST", MOST)


@pytest.fixture
async def things(database: Database) -> Collection:
    await prepare(database["things"])
    return database["things"]


def times(dice: Random) -> list[datetime]:
    """Marks as they happen: piles of one outage, several of one millisecond, single ones of any age."""
    marks = [NOW - timedelta(seconds=10 ** dice.uniform(-3, 8.5)) for _ in range(20)]
    for _ in range(3):
        begin = NOW - timedelta(seconds=10 ** dice.uniform(1, 7))
        length = timedelta(seconds=10 ** dice.uniform(-2, 4))
        marks += [begin + length * dice.random() for _ in range(dice.randrange(60))]
        marks += [begin] * dice.randrange(3 * MOST)
    dice.shuffle(marks)
    return [min(mark, NOW) for mark in marks]


async def taken(
    source: LeftOvers, things: Collection, until: datetime, *, coming: list[datetime]
) -> set[Any]:
    """The ids a sweep gives, each unmarked; meanwhile others write what was marked before."""
    found: set[Any] = set()
    async for documents in source.sweep(until):
        ids = [document["_id"] for document in documents]
        assert found.isdisjoint(ids)
        found.update(ids)
        await things.update_many({"_id": {"$in": ids}}, {"$unset": {"outbox_since": 1}})
        if coming:
            await things.insert_one({"_id": uuid4().hex, "outbox": [], "outbox_since": coming.pop()})
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_marked_is_found_once_also_what_is_written_late_and_out_of_order(
    things: Collection, small: None, seed: int
) -> None:
    dice = Random(seed)
    marks = times(dice)
    await things.insert_many(
        [{"_id": number, "outbox": [], "outbox_since": mark} for number, mark in enumerate(marks)]
    )
    coming = [NOW - LATE * dice.random() * 0.9 for _ in range(10)]
    source = LeftOvers(things)

    first = await taken(source, things, NOW, coming=coming)
    assert set(range(len(marks))) <= first
    await taken(source, things, NOW + timedelta(seconds=1), coming=coming)
    await taken(source, things, NOW + timedelta(seconds=2), coming=[])

    assert await things.find({"outbox_since": {"$exists": True}}).to_list(None) == []


async def test_what_is_written_later_than_anybody_should_is_found_by_the_next_whole_sweep(
    things: Collection,
) -> None:
    source = LeftOvers(things)
    assert await taken(source, things, NOW, coming=[]) == set()
    await things.insert_one({"_id": 1, "outbox": [], "outbox_since": NOW - timedelta(days=40)})

    assert await taken(source, things, NOW + timedelta(seconds=1), coming=[]) == set()
    assert await taken(source, things, NOW + left_over.WHOLE_EVERY * 1.1, coming=[]) == {1}


async def test_a_sweep_that_is_given_up_finds_the_rest_the_next_time(things: Collection, small: None) -> None:
    marks = [NOW - timedelta(seconds=number) for number in range(1, 41)]
    await things.insert_many(
        [{"_id": number, "outbox": [], "outbox_since": mark} for number, mark in enumerate(marks)]
    )
    source = LeftOvers(things)
    async for documents in source.sweep(NOW):
        assert documents
        break

    assert await taken(source, things, NOW, coming=[]) == set(range(40))


def body() -> Document:
    event = SubmissionWithdrawn(event_id=uuid4(), occurred_at=NOW, subject_id="s", version=1)
    return entry(SUBMISSION_WITHDRAWN, event)


class Broker:
    """Takes everything but what it is told to refuse."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refused: set[str] = set()

    async def publish(self, _subject: str, _body: bytes, *, message_id: str, **_more: Any) -> int:
        if message_id in self.refused:
            raise Unavailable("the broker: this stream is full")
        self.taken.append(message_id)
        return len(self.taken)


async def test_a_pile_is_read_about_once_however_high_it_is(things: Collection, small: None) -> None:
    began = datetime.now(UTC) - timedelta(hours=1)
    pile = [
        {"_id": number, "outbox": [body()], "outbox_since": began + timedelta(milliseconds=10 * number)}
        for number in range(600)
    ]
    await things.insert_many(pile)
    watched, broker = Watched(things), Broker()
    await Relay([cast("Collection", watched)], cast("Publisher", broker), KEY).drain()

    assert len(broker.taken) == 600
    assert watched.read <= 3 * 600
    assert watched.longest <= PORTION
    assert await things.find_one({"outbox_since": {"$gt": LONG_AGO}}) is None


async def test_what_cannot_be_published_holds_up_no_other_and_is_tried_again(things: Collection) -> None:
    pile: list[Document] = [
        {
            "_id": number,
            "outbox": [body()],
            "outbox_since": datetime.now(UTC) - timedelta(minutes=20, seconds=-number),
        }
        for number in range(60)
    ]
    await things.insert_many(pile)
    broker = Broker()
    broker.refused = {each["outbox"][0]["event_id"] for each in pile[:25]}
    relay = Relay([things], cast("Publisher", broker), KEY)

    with pytest.raises(Unavailable):
        await relay.drain()
    assert len(broker.taken) == 35
    broker.refused = set()
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(20):
        while len(broker.taken) < 60:
            await asyncio.sleep(0.01)
    running.cancel()
