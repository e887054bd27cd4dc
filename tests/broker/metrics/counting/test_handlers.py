"""Events in, counts out: the wiring of metrics' handlers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from services.metrics.census.store import Roll
from services.metrics.clicks.link_cache import Links
from services.metrics.counting import handlers
from services.metrics.counting.service import Counts
from shared.events import (
    DELIVERY_CHANGED,
    PERSON_REGISTERED,
    SUBMISSION_WITHDRAWN,
    PersonRegistered,
    SubmissionWithdrawn,
)
from shared.failures import Unprocessable
from shared.storage.mongo import Database, connect
from tests.unit.metrics.happenings import click, delivery, sample

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
async def database(mongo_url: str) -> AsyncIterator[Database]:
    client = connect(mongo_url)
    name = f"test_{uuid4().hex[:12]}"
    yield client[name]
    await client.drop_database(name)
    await client.close()


@pytest.fixture
async def roll(database: Database) -> Roll:
    made = Roll(database["people"], database["submissions"])
    await made.prepare()
    return made


@pytest.fixture
async def counts(database: Database) -> Counts:
    made = Counts(database)
    await made.prepare()
    return made


@pytest.fixture
async def broker(database: Database, roll: Roll, counts: Counts, tmp_path: Path) -> AsyncIterator[NatsBroker]:
    real = NatsBroker()
    handlers.wire(real)
    links = Links(database["links"], tmp_path / "links.tsv")
    for name, value in (("roll", roll), ("counts", counts), ("links", links)):
        real.context.set_global(name, value)
    async with TestNatsBroker(real) as in_memory:
        yield in_memory


async def test_a_delivery_is_known_linked_and_seen(
    broker: NatsBroker, roll: Roll, counts: Counts, database: Database
) -> None:
    event = delivery(Random(1), 1).model_copy(update={"state": "posted", "version": 3})

    for _ in range(3):
        await broker.publish(event, DELIVERY_CHANGED.subject, stream=DELIVERY_CHANGED.stream)

    link = await database["links"].find_one({"_id": event.code})
    assert counts.accounts.is_known(event.code)
    assert link is not None
    assert link["target"] == event.target
    assert (await roll.submissions())["published"].value == 1


async def test_members_and_withdrawals_are_counted_once(broker: NatsBroker, roll: Roll) -> None:
    person = PersonRegistered(
        event_id=uuid4(), occurred_at=NOW, subject_id="p", version=1, country="TR", languages=("tr",)
    )
    withdrawal = SubmissionWithdrawn(event_id=uuid4(), occurred_at=NOW, subject_id="s", version=2)

    for _ in range(2):
        await broker.publish(person, PERSON_REGISTERED.subject, stream=PERSON_REGISTERED.stream)
        await broker.publish(withdrawal, SUBMISSION_WITHDRAWN.subject, stream=SUBMISSION_WITHDRAWN.stream)

    members, _ = await roll.members()
    assert members.value == 1
    assert (await roll.submissions())["submissions"].value == 0


async def test_batches_are_counted_with_where_they_lie_in_the_stream(
    counts: Counts, database: Database
) -> None:
    chance = Random(2)
    one = delivery(chance, 1)
    batch = [(sequence, click(chance, one)) for sequence in range(5, 9)]

    await handlers.count_clicks([*batch, *batch], counts)

    entry = await database["journal"].find_one({"_id": 1})
    assert entry is not None
    assert (entry["first"], entry["last"]) == (5, 8)
    assert len(entry["ids"]) == 4 * 16


async def test_a_sample_that_cannot_be_counted_is_named(counts: Counts) -> None:
    chance = Random(3)
    one = sample(chance, delivery(chance, 1), kind="period", day=None)

    with pytest.raises(Unprocessable, match="needs its day"):
        await handlers.count_samples([(1, one)], counts)
