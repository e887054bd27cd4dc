"""What is due is found in short ranges, all of it, whoever writes when; on the real store."""

import asyncio
from datetime import datetime, timedelta
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.publisher.deliveries.publication import Outlet
from services.publisher.deliveries.store import Deliveries
from services.publisher.dispatch.due import DueLookup, Row
from shared.storage.mongo import Database, connect
from tests.support.builders.publications import NOON

STEP = st.one_of(
    st.tuples(st.just("write"), st.floats(-100_000, 3), st.integers(1, 300)),
    st.tuples(st.just("take"), st.floats(0, 1), st.integers(1, 40)),
    st.tuples(st.just("wait"), st.floats(0, 30), st.just(0)),
)


class Queue:
    """A queue in the store, with what a reader has taken out of it."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.collection = database["publications"]
        self.deliveries = Deliveries(
            self.collection, (Outlet("wall", "telegram"),), lambda _: "", clock=lambda: self.now
        )
        self.lookup = DueLookup(self.rows)
        self.written = self.taken = 0

    async def rows(self, until: datetime) -> list[Row]:
        return await self.deliveries.due("wall", "send", until)

    async def write(self, *moments: datetime) -> None:
        documents = [
            {"_id": f"{self.written + number}", "due": {"wall": {"send": moment}}}
            for number, moment in enumerate(moments)
        ]
        self.written += len(moments)
        for first in range(0, len(documents), 100):
            await self.collection.insert_many(documents[first : first + 100])

    async def take(self, limit: int, skip: frozenset[str] = frozenset()) -> list[str]:
        found = await self.lookup.next(self.now, limit, skip)
        assert len(found) <= limit
        assert skip.isdisjoint(found)
        done = await self.collection.delete_many({"_id": {"$in": found}})
        self.taken += done.deleted_count
        return found

    async def drain(self) -> None:
        while self.taken < self.written:
            if not await self.take(32):
                self.now += timedelta(seconds=1)
                assert await self.take(32), f"{self.written - self.taken} were never found"


@given(steps=st.lists(STEP, max_size=10), seed=st.integers(0, 2**32))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_everything_due_is_found_however_late_and_out_of_order_it_is_written(
    mongo_url: str, steps: list[tuple[str, float, int]], seed: int
) -> None:
    async def history() -> None:
        chance, client = Random(seed), connect(mongo_url)
        await client.drop_database("due_histories")
        queue = Queue(client["due_histories"])
        await queue.deliveries.prepare()
        for what, seconds, count in steps:
            match what:
                case "write":
                    spread = chance.choice([0.0, 0.001, 1.0, 5000.0])
                    first = queue.now + timedelta(seconds=seconds)
                    offsets = [chance.random() * spread for _ in range(count)]
                    await queue.write(*(first - timedelta(seconds=each) for each in offsets))
                case "take":
                    await queue.take(count)
                case _:
                    queue.now += timedelta(seconds=seconds)
        queue.now += timedelta(seconds=5)
        await queue.drain()
        await client.close()

    asyncio.run(history())


async def test_what_is_to_be_skipped_keeps_nothing_else_from_being_found(database: Database) -> None:
    queue = Queue(database)
    await queue.write(*(NOON - timedelta(seconds=1000 - number) for number in range(600)))
    skipped = frozenset(str(number) for number in range(300))

    found = set[str]()
    while len(found) < 300:
        more = await queue.take(50, skipped)
        assert more
        found |= set(more)

    assert await queue.take(50, skipped) == []


async def test_what_is_written_late_comes_before_what_has_waited_less(database: Database) -> None:
    queue = Queue(database)
    await queue.write(*(NOON - timedelta(seconds=number / 2) for number in range(600)))
    for _ in range(3):
        await queue.take(32)

    await queue.write(NOON - timedelta(days=3))
    queue.now += timedelta(seconds=31)

    assert "600" in await queue.take(32)
