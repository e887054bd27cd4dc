"""Callers that come at the same time share one write, and each learns what was new of its own."""

import asyncio
from collections.abc import Sequence

import pytest

from services.metrics.counting.model import Click
from services.metrics.counting.together import Together


class Store:
    """Remembers ids; each write takes a turn of the loop."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, int, int]] = []
        self.known: set[int] = set()
        self.failures = 0

    async def admit(self, clicks: Sequence[Click], first: int, last: int) -> set[int]:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        self.writes.append((len(clicks), first, last))
        new = {click.id for click in clicks} - self.known
        self.known |= new
        return new


def clicks(*ids: int) -> list[Click]:
    return [Click(id_, 0, "abcdefghij") for id_ in ids]


async def test_those_who_wait_share_the_next_write() -> None:
    store = Store()
    together = Together(store.admit)

    admitted = await asyncio.gather(*(together.admit(clicks(n, n + 1), n, n + 1) for n in range(0, 10, 2)))

    assert admitted == [2] * 5
    assert store.writes in ([(10, 0, 9)], [(2, 0, 1), (8, 2, 9)])


async def test_each_learns_what_was_new_of_its_own() -> None:
    store = Store()
    together = Together(store.admit)

    admitted = await asyncio.gather(
        together.admit(clicks(1, 2), 1, 2),
        together.admit(clicks(2, 3), 3, 4),
        together.admit(clicks(1), 5, 5),
    )

    assert sum(admitted) == 3
    assert store.known == {1, 2, 3}


async def test_a_failure_is_the_callers_own_and_the_others_try_again() -> None:
    store = Store()
    store.failures = 1
    together = Together(store.admit)

    results = await asyncio.gather(
        *(together.admit(clicks(n), n, n) for n in range(4)), return_exceptions=True
    )

    assert [isinstance(result, ConnectionError) for result in results] == [True, False, False, False]
    assert store.known == {1, 2, 3}
    store.failures = 1
    with pytest.raises(ConnectionError):
        await together.admit(clicks(9), 9, 9)
