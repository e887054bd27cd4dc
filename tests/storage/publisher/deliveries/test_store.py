"""How steps of one publication share a write, within a process and between two; on the real store."""

import asyncio
from dataclasses import replace

from services.publisher.deliveries.model import Refused
from services.publisher.deliveries.publication import Outlet, Publication
from services.publisher.deliveries.store import Deliveries, Step
from shared.storage.mongo import Database
from tests.support.builders.publications import NOON


def process(database: Database) -> Deliveries:
    """A process's store."""
    outlets = (Outlet("wall", "telegram"),)
    return Deliveries(database["publications"], outlets, lambda _: "", clock=lambda: NOON)


def one_more(publication: Publication) -> Publication:
    """A step whose effect can be counted."""
    return replace(publication, case_version=publication.case_version + 1)


def at_most(most: int) -> Step:
    """The same step, refused from `most` on."""

    def step(publication: Publication) -> Publication | Refused:
        return Refused("enough") if publication.case_version >= most else one_more(publication)

    return step


async def test_steps_that_wait_together_share_one_write(database: Database) -> None:
    here = process(database)

    done = await asyncio.gather(*(here.change("s", one_more) for _ in range(10)))

    stored = await here.read("s")
    assert (stored.case_version, stored.version) == (10, 1)
    assert all(each == stored for each in done)


async def test_of_steps_that_share_a_write_one_may_be_refused(database: Database) -> None:
    here = process(database)

    done = await asyncio.gather(*(here.change("s", at_most(2)) for _ in range(3)))

    assert [each for each in done if isinstance(each, Refused)] == [Refused("enough")]
    assert (await here.read("s")).case_version == 2


async def test_a_step_that_fails_fails_alone(database: Database) -> None:
    def broken(_: Publication) -> Publication:
        raise ZeroDivisionError

    here = process(database)

    steps = (one_more, broken, one_more)
    done = await asyncio.gather(*(here.change("s", step) for step in steps), return_exceptions=True)

    assert [type(each) for each in done] == [Publication, ZeroDivisionError, Publication]
    assert (await here.read("s")).case_version == 2


async def test_two_processes_lose_nothing_of_each_other(database: Database) -> None:
    here, there = process(database), process(database)

    await asyncio.gather(*(each.change("s", one_more) for _ in range(20) for each in (here, there)))
    for each in (here, there, here, there):
        await each.change("s", one_more)

    assert (await here.read("s")).case_version == 44


async def test_a_refusal_is_believed_only_of_what_is_stored_now(database: Database) -> None:
    here, there = process(database), process(database)
    await here.change("s", one_more)
    await there.change("s", lambda known: replace(known, case_version=0))

    assert not isinstance(await here.change("s", at_most(1)), Refused)


async def test_that_nothing_is_to_be_done_is_believed_only_of_what_is_stored_now(database: Database) -> None:
    here, there = process(database), process(database)
    await here.change("s", lambda known: replace(known, case_version=7))
    await there.change("s", lambda known: replace(known, case_version=0))

    await here.change("s", lambda known: replace(known, case_version=7))

    assert (await there.read("s")).case_version == 7


async def test_a_step_whose_caller_went_away_is_taken_all_the_same(database: Database) -> None:
    here = process(database)
    left = asyncio.create_task(here.change("s", one_more))
    await asyncio.sleep(0)
    left.cancel()

    await here.change("s", one_more)

    assert (await here.read("s")).case_version == 2
