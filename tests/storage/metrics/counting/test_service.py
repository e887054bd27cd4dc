"""The store counts each event once, whoever counts it and wherever it is killed."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, cast

import pytest

from services.metrics.counting.model import CountedClick, click_of, delivery_of
from services.metrics.counting.service import Counts
from services.metrics.counting.sums import GROUPINGS
from shared.storage.mongo import Collection, Database
from tests.support.builders.counted import counting, feed, parts, totals
from tests.support.builders.reach_events import click, delivery, history
from tests.support.builders.reach_reference import reference


async def test_every_breakdown_equals_the_reference(database: Database) -> None:
    events = history(11, deliveries=30, events=2000)
    counts = await counting(database)

    for part in parts(events, 150):
        await feed(counts, part)
        await counts.fold()
    await counts.drain()

    for by in GROUPINGS:
        assert await totals(counts, by) == reference(events, by)


async def test_replicas_that_count_the_same_events_at_once_count_each_once(database: Database) -> None:
    events = history(12, deliveries=20, events=1200)
    replicas = [await counting(database) for _ in range(3)]

    async def work(counts: Counts, seed: int) -> None:
        mine = parts(events, 100)
        Random(seed).shuffle(mine)
        for part in mine:
            await feed(counts, part)
            await counts.fold()

    await asyncio.gather(*(work(counts, seed) for seed, counts in enumerate(replicas)))
    for counts in replicas:
        await counts.follow()
        await counts.drain()

    assert await totals(replicas[0], ["channel", "language"]) == reference(events, ["channel", "language"])
    assert replicas[0].accounts.by_code == replicas[1].accounts.by_code == replicas[2].accounts.by_code


async def test_counting_goes_on_after_a_restart_where_it_stopped(database: Database) -> None:
    events = history(13, deliveries=20, events=900)
    for number, part in enumerate(parts(events, 120)):
        counts = await counting(database)
        await feed(counts, part)
        if number % 3 == 1:
            await counts.checkpoint()
        if number % 2 == 1:
            await counts.fold()

    counts = await counting(database)
    await counts.drain()

    assert await totals(counts, ["country", "hashtag"]) == reference(events, ["country", "hashtag"])


class Killed(Exception):
    """The process ends here."""


class Deadly:
    """A collection whose process dies within a bulk write, with some of it done."""

    def __init__(self, real: Collection, done: int) -> None:
        self._real, self._done = real, done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def bulk_write(self, requests: Sequence[Any], ordered: bool = True) -> Any:
        await self._real.bulk_write(list(requests)[: self._done], ordered=ordered)
        raise Killed


@pytest.mark.parametrize("done", [1, 30, 60])
async def test_a_kill_in_the_middle_of_adding_adds_nothing_twice(database: Database, done: int) -> None:
    events = history(14, deliveries=10, events=400)
    counts = await counting(database)
    await feed(counts, events[:200])
    counts.counters._collection = cast("Collection", Deadly(database["counters"], done))
    with pytest.raises(Killed):
        await counts.fold()

    again = await counting(database)
    await feed(again, events)
    await again.drain()

    assert await totals(again, ["channel", "language"]) == reference(events, ["channel", "language"])


async def test_clicks_wait_for_their_delivery(database: Database) -> None:
    chance = Random(1)
    late = delivery(chance, 1)
    counts = await counting(database)
    await counts.count([click_of(click(chance, late)) for _ in range(5)])
    await counts.drain()
    before = await totals(counts, ["channel"])

    await counts.know([delivery_of(late)])
    await counts.drain()

    assert before == Counter()
    assert await totals(counts, ["channel"]) == {((late.channel,), "clicks", "delta"): 5}


async def test_a_delivery_is_made_known_once(database: Database) -> None:
    one = delivery_of(delivery(Random(1), 1))
    first, second = await counting(database), await counting(database)

    assert await first.know([one, one]) == [one]
    assert await first.know([one]) == []
    assert await second.know([one]) == []


async def test_events_of_long_ago_are_still_recognised(database: Database) -> None:
    chance = Random(2)
    one = delivery(chance, 1)
    clicks = [click_of(click(chance, one)) for _ in range(50)]
    counts = await counting(database)
    await counts.know([delivery_of(one)])
    await counts.count(clicks)

    again = await counting(database)

    assert await again.count(clicks) == 0
    assert await again.count([*clicks, CountedClick(7, clicks[0].at, one.code)]) == 1


async def test_it_is_remembered_whose_reach_has_changed(database: Database) -> None:
    chance = Random(3)
    one, other = delivery(chance, 1), delivery(chance, 30)
    counts = await counting(database)
    await counts.know([delivery_of(one)])
    await counts.know([delivery_of(other)])
    counts.touched.clear()

    await counts.count([click_of(click(chance, one))])

    assert counts.touched == {one.submission_id}
