"""The counters can be worked out again from the events, beside whoever is counting."""

from collections import Counter
from json import dumps, loads
from random import Random

from services.metrics.counting.model import click_of
from services.metrics.counting.rebuild import Rebuild
from services.metrics.counting.sums import GROUPINGS, Table
from shared.storage.mongo import Database
from tests.support.builders.counted import counting, feed, parts, totals
from tests.support.builders.reach_events import click, delivery, history
from tests.support.builders.reach_reference import reference


async def test_totals_rebuild_and_reference_are_equal(database: Database) -> None:
    events = history(31, deliveries=15, events=700)
    counts = await counting(database)
    for part in parts(events, 90):
        await feed(counts, part)
        await counts.fold()
    await counts.drain()

    run = Rebuild(database)
    different = await run.compare()

    assert (different, run.recount.repeated) == ([], 0)
    assert run.recount.accounts.by_code == counts.accounts.by_code
    for by in GROUPINGS[:8]:
        assert await totals(counts, by) == reference(events, by)


async def test_a_counter_that_is_wrong_is_found_and_put_right(database: Database) -> None:
    events = history(32, deliveries=10, events=300)
    counts = await counting(database)
    await feed(counts, events)
    await counts.drain()
    wrong = "1/channel+language/all"
    document = await database["counters"].find_one({"_id": wrong})
    assert document is not None
    document["sums"] = dumps(
        {key: [value + 1, n, t] for key, (value, n, t) in loads(document["sums"]).items()}
    )
    await database["counters"].replace_one({"_id": wrong}, document)
    await database["counters"].delete_one({"_id": "1/channel/all"})

    run = Rebuild(database)
    different = await run.compare()
    generation = await run.replace()

    assert different == [Table("all", "channel"), Table("all", "channel+language")]
    assert generation == 2
    assert await Rebuild(database).compare() == []


async def test_a_process_that_is_counting_goes_over_to_the_rebuilt_counters(database: Database) -> None:
    chance = Random(33)
    events = history(33, deliveries=6, events=200)
    one = delivery(chance, 0)
    counts, idle = await counting(database), await counting(database)
    await feed(counts, events)
    await counts.drain()

    await Rebuild(database).replace()
    more = [click(chance, one) for _ in range(10)]
    admitted = await counts.count([click_of(event) for event in [*more, *more]])
    await idle.follow()
    await idle.drain()

    assert admitted == 10
    assert counts.accounts.generation == 2 == idle.accounts.generation
    assert await totals(idle, ["channel"]) == reference([*events, *more], ["channel"]) != Counter()
    assert await Rebuild(database).compare() == []
