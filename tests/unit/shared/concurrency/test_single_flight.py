"""Who asks for the same at the same time asks once; nobody gets an answer older than the question."""

import asyncio
from dataclasses import dataclass, field

import pytest

from shared.concurrency.single_flight import SingleFlight


@dataclass
class Source:
    """Counts how often it was asked, and answers with that once it may."""

    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    async def fetch(self) -> int:
        self.asked += 1
        mine = self.asked
        await self.gate.wait()
        if self.broken:
            raise OSError
        return mine


async def begin(count: int, flight: SingleFlight[str, int], source: Source) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(flight.get("key", source.fetch)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_all_who_ask_meanwhile_get_one_answer_and_who_asks_later_a_new_one() -> None:
    flight, source = SingleFlight[str, int](), Source()
    tasks = await begin(5, flight, source)
    source.gate.set()

    assert await asyncio.gather(*tasks) == [1] * 5
    assert await flight.get("key", source.fetch) == 2


async def test_who_asks_after_a_change_does_not_get_the_answer_from_before_it() -> None:
    flight, source = SingleFlight[str, int](), Source()
    before = await begin(2, flight, source)
    flight.forget("key")
    after = await begin(2, flight, source)
    source.gate.set()

    assert await asyncio.gather(*before, *after) == [1, 1, 2, 2]


async def test_one_who_goes_away_takes_nobody_along() -> None:
    flight, source = SingleFlight[str, int](), Source()
    first, second = await begin(2, flight, source)
    first.cancel()
    source.gate.set()

    assert await second == 1


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    flight, source = SingleFlight[str, int](), Source(broken=True)
    tasks = await begin(3, flight, source)
    source.gate.set()
    for task in tasks:
        with pytest.raises(OSError):  # noqa: PT011 - the type says it all
            await task

    source.broken = False
    assert await flight.get("key", source.fetch) == 2
