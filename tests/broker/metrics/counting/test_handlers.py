"""Events in, counts out: the wiring of metrics' handlers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from services.metrics import handlers
from services.metrics.census.handlers import join, withdraw
from services.metrics.census.store import Census
from services.metrics.clicks.link_cache import Links
from services.metrics.counting.handlers import count_clicks, count_samples
from services.metrics.counting.service import Counts
from shared.bus.streams import CONSUMERS, Consumer
from shared.events import STAFF_CHANGED, PersonRegistered, SubmissionWithdrawn
from shared.failures import Unprocessable
from shared.storage.mongo import Database, connect
from tests.support.builders.reach_events import click, delivery, sample

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
async def database(mongo_url: str) -> AsyncIterator[Database]:
    client = connect(mongo_url)
    name = f"test_{uuid4().hex[:12]}"
    yield client[name]
    await client.drop_database(name)
    await client.close()


@pytest.fixture
async def census(database: Database) -> Census:
    made = Census(database)
    await made.prepare()
    return made


@pytest.fixture
async def counts(database: Database) -> Counts:
    made = Counts(database)
    await made.prepare()
    return made


async def test_a_delivery_is_known_linked_and_seen(
    census: Census, counts: Counts, database: Database, tmp_path: Path
) -> None:
    links = Links(database["links"], tmp_path / "links.tsv")
    event = delivery(Random(1), 1).model_copy(update={"state": "posted", "version": 3})
    before = delivery(Random(1), 1).model_copy(update={"target": "https://elsewhere.example"})
    other = delivery(Random(2), 2)

    for batch in ([(1, before), (2, event), (3, other)], [(2, event)], [(1, before), (3, other)]):
        await handlers.follow(batch, census, counts, links)

    link = await database["links"].find_one({"_id": event.code})
    assert (counts.accounts.is_known(event.code), counts.accounts.is_known(other.code)) == (True, True)
    assert link is not None
    assert (link["target"], await links.target(event.code)) == (event.target, event.target)
    assert (await census.submissions())["published"].value == 1


async def test_members_and_withdrawals_are_counted_once(census: Census) -> None:
    person = PersonRegistered(
        event_id=uuid4(), occurred_at=NOW, subject_id="p", version=1, country="TR", languages=("tr",)
    )
    withdrawal = SubmissionWithdrawn(event_id=uuid4(), occurred_at=NOW, subject_id="s", version=2)

    for _ in range(2):
        await join([(1, person), (2, person)], census)
        await withdraw([(1, withdrawal)], census)

    members, _ = await census.members()
    assert members.value == 1
    assert (await census.submissions())["submissions"].value == 0


@pytest.mark.parametrize(
    "consumer", [one for one in CONSUMERS if one.service == "metrics" and one.topic is not STAFF_CHANGED]
)
def test_every_consumer_has_its_handler(consumer: Consumer, database: Database, tmp_path: Path) -> None:
    links = Links(database["links"], tmp_path / "links.tsv")

    assert consumer.topic in handlers.handlers(Census(database), Counts(database), links)


async def test_batches_are_counted_with_where_they_lie_in_the_stream(
    counts: Counts, database: Database
) -> None:
    chance = Random(2)
    one = delivery(chance, 1)
    batch = [(sequence, click(chance, one)) for sequence in range(5, 9)]

    await count_clicks([*batch, *batch], counts)

    entry = await database["journal"].find_one({"_id": 1})
    assert entry is not None
    assert (entry["first"], entry["last"]) == (5, 8)
    assert len(entry["ids"]) == 4 * 16


async def test_a_sample_that_cannot_be_counted_is_named(counts: Counts) -> None:
    chance = Random(3)
    one = sample(chance, delivery(chance, 1), kind="period", day=None)

    with pytest.raises(Unprocessable, match="needs its day"):
        await count_samples([(1, one)], counts)
