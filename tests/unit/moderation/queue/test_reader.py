"""Where the front of a lane is, and what is seen there once for all."""

import asyncio

import pytest

from services.moderation.desk.schemas import handle
from services.moderation.queue.read_cache import Glances
from services.moderation.queue.reader import QueueEntry, front
from tests.support.builders.submissions import NOW


def slot(place: int, *, open_: bool) -> QueueEntry:
    state = "screened" if open_ else "rejected"
    return QueueEntry(
        str(place), place, open_, state, "first", 1, "a", "", "az", "AZ", None, "low", (), 0, (), NOW, 1, None
    )


@pytest.mark.parametrize(
    ("places", "settled", "reached"),
    [
        ("....", 4, 4),
        ("....", 2, 2),
        ("xxxx", 0, 4),
        ("xxox", 4, 2),
        ("x.xo", 4, 3),
        ("x.xo", 1, 1),
        ("oxxx", 4, 0),
    ],
)
def test_the_front_is_the_first_that_is_or_may_become_open(places: str, settled: int, reached: int) -> None:
    slots = [slot(n, open_=mark == "o") for n, mark in enumerate(places) if mark != "."]

    assert front(slots, 0, 4, settled) == reached


async def test_many_who_look_at_once_look_once() -> None:
    glances, looks = Glances(60), 0

    async def look() -> int:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return looks

    assert await asyncio.gather(*(glances.see("front", look) for _ in range(20))) == [1] * 20
    assert glances.remembered
    assert await glances.see("other", look) == 2


async def test_who_remembers_nothing_always_looks() -> None:
    glances, looks = Glances(0), iter(range(9))

    async def look() -> int:
        return next(looks)

    assert [await glances.see("front", look) for _ in range(3)] == [0, 1, 2]
    assert not glances.tried("a")
    assert not glances.tried("a")


async def test_a_failure_to_look_reaches_all_who_wait() -> None:
    glances = Glances(60)

    async def look() -> int:
        raise TimeoutError

    answers = await asyncio.gather(*(glances.see("front", look) for _ in range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [TimeoutError] * 3


def test_what_one_tries_another_leaves_alone() -> None:
    glances = Glances(60)

    assert [glances.tried("a"), glances.tried("a"), glances.tried("b")] == [False, True, False]
    glances.forget("a")
    assert not glances.tried("a")


def test_a_handle_is_the_same_every_time_and_no_name() -> None:
    assert handle("p1") == handle("p1")
    assert handle("p1") != handle("p2")
    assert "p1" not in handle("p1").lower()
