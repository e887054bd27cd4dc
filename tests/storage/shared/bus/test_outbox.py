"""The outbox on the real database, on both drivers: nothing is dropped, nothing is invented, order is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.bus.outbox import Relay, appended, embedded, entry, merge, prepare
from shared.events import SUBMISSION_WITHDRAWN, SubmissionWithdrawn
from shared.failures import Unavailable
from shared.storage.mongo import Collection, Database
from tests.support.processes import within

KEY = Ed25519PrivateKey.generate()
TOPIC = SUBMISSION_WITHDRAWN


@dataclass
class Broker:
    """A publisher that keeps what it is given, and fails when told to."""

    stored: list[tuple[str, str]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    on_publish: list[object] = field(default_factory=list)

    async def publish(
        self,
        subject: str,
        body: bytes,
        *,
        stream: str,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        if message_id in self.failing:
            raise Unavailable("the broker")
        self.stored.append((subject, message_id))
        return len(self.stored)


def event(number: int = 1) -> SubmissionWithdrawn:
    return SubmissionWithdrawn(
        event_id=uuid4(), occurred_at=datetime.now(UTC), subject_id="s", version=number
    )


@pytest.fixture
async def things(database: Database) -> Collection:
    collection = database["things"]
    await prepare(collection)
    return collection


async def left(things: Collection) -> int:
    return sum([len(d["outbox"]) async for d in things.find({})])


async def test_what_is_embedded_is_published_once_and_then_gone(things: Collection) -> None:
    broker, events = Broker(), [event(n) for n in range(1, 6)]
    relay = Relay([things], broker, KEY)  # type: ignore[arg-type]  # a small real class with the publisher's one call
    for number, each in enumerate(events):
        await things.insert_one({"_id": number, **embedded(entry(TOPIC, each))})
    await relay.drain()
    await relay.drain()

    assert sorted(broker.stored) == sorted((TOPIC.subject, str(each.event_id)) for each in events)
    assert await left(things) == 0
    assert await things.find_one({"outbox_since": {"$exists": True}}) is None


async def test_the_entries_of_one_aggregate_leave_in_their_order(things: Collection) -> None:
    broker, events = Broker(), [event(n) for n in range(1, 20)]
    await things.insert_one({"_id": 1, **embedded(*(entry(TOPIC, each) for each in events))})
    await Relay([things], broker, KEY).drain()  # type: ignore[arg-type]  # as above

    assert [message_id for _, message_id in broker.stored] == [str(each.event_id) for each in events]


async def test_an_entry_that_could_not_be_published_stays_and_holds_back_those_behind_it(
    things: Collection,
) -> None:
    first, second, third = event(1), event(2), event(3)
    broker = Broker(failing={str(second.event_id)})
    relay = Relay([things], broker, KEY)  # type: ignore[arg-type]  # as above
    await things.insert_one({"_id": 1, **embedded(*(entry(TOPIC, each) for each in (first, second, third)))})

    with pytest.raises(Unavailable):
        await relay.drain()
    assert [message_id for _, message_id in broker.stored] == [str(first.event_id)]
    assert await left(things) == 2
    broker.failing.clear()
    await relay.drain()
    assert [message_id for _, message_id in broker.stored] == [
        str(each.event_id) for each in (first, second, third)
    ]
    assert await left(things) == 0


async def test_one_aggregate_that_fails_does_not_hold_back_another(things: Collection) -> None:
    bad, good = event(), event()
    broker = Broker(failing={str(bad.event_id)})
    await things.insert_one({"_id": 1, **embedded(entry(TOPIC, bad))})
    await things.insert_one({"_id": 2, **embedded(entry(TOPIC, good))})

    with pytest.raises(Unavailable):
        await Relay([things], broker, KEY).drain()  # type: ignore[arg-type]  # as above
    assert [message_id for _, message_id in broker.stored] == [str(good.event_id)]
    assert await left(things) == 1


async def test_an_entry_appended_while_another_is_being_published_is_kept(things: Collection) -> None:
    first, second = event(1), event(2)

    @dataclass
    class Slow(Broker):
        async def publish(
            self,
            subject: str,
            body: bytes,
            *,
            stream: str,
            message_id: str,
            headers: Mapping[str, str] | None = None,
        ) -> int:
            if message_id == str(first.event_id):
                await things.update_one(
                    {"_id": 1}, merge({"$set": {"changed": True}}, appended(entry(TOPIC, second)))
                )
            return await Broker.publish(
                self, subject, body, stream=stream, message_id=message_id, headers=headers
            )

    broker = Slow()
    relay = Relay([things], broker, KEY)  # type: ignore[arg-type]  # as above
    await things.insert_one({"_id": 1, **embedded(entry(TOPIC, first))})
    await relay.drain()
    await relay.drain()

    assert [message_id for _, message_id in broker.stored] == [str(first.event_id), str(second.event_id)]
    assert await left(things) == 0


async def test_a_document_whose_relay_died_between_taking_out_and_unmarking_is_unmarked(
    things: Collection,
) -> None:
    broker, behind = Broker(), event()
    await things.insert_one({"_id": 1, "outbox": [], "outbox_since": datetime.now(UTC)})
    await things.insert_one({"_id": 2, **embedded(entry(TOPIC, behind))})
    async with within(10):
        await Relay([things], broker, KEY).drain()  # type: ignore[arg-type]  # as above

    assert [message_id for _, message_id in broker.stored] == [str(behind.event_id)]
    assert await things.find_one({"outbox_since": {"$exists": True}}) is None


def test_merging_updates_that_set_the_same_field_is_refused() -> None:
    with pytest.raises(ValueError, match="state"):
        merge({"$set": {"state": 1}}, {"$set": {"state": 2}})
