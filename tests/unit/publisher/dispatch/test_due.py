from bisect import bisect_right
from datetime import datetime, timedelta
from random import Random

import pytest

from services.publisher.dispatch.due import DueLookup, Row
from tests.support.builders.publications import NOON


class Rows:
    """An index in memory that counts what is read of it, and gives up when that is too much."""

    def __init__(self, *rows: Row, patience: int | None = None) -> None:
        self.rows, self.patience, self.read = sorted(rows), patience, 0

    async def until(self, end: datetime) -> list[Row]:
        found = self.rows[: bisect_right(self.rows, (end, "~"))]
        if self.patience is not None and len(found) > self.patience:
            raise TimeoutError
        self.read += len(found) + 1
        return found

    def take(self, keys: list[str]) -> None:
        gone = set(keys)
        self.rows = [row for row in self.rows if row[1] not in gone]


def due(count: int, spread: float) -> list[Row]:
    chance = Random(count)
    return [(NOON - timedelta(seconds=chance.random() * spread), f"{number}") for number in range(count)]


@pytest.mark.parametrize("spread", [0.0, 1000.0])
async def test_what_is_read_for_each_that_is_taken_stays_as_little_at_twenty_times_as_many(
    spread: float,
) -> None:
    cost = []
    for count in (1000, 20_000):
        rows = Rows(*due(count, spread))
        lookup = DueLookup(rows.until)
        while found := await lookup.next(NOON, 32):
            rows.take(found)
        assert rows.rows == []
        cost.append(rows.read / count)

    assert cost[1] <= 1.2 * cost[0]


async def test_ranges_become_short_enough_for_an_impatient_store() -> None:
    rows = Rows(*due(5000, 40_000.0), patience=1000)
    lookup = DueLookup(rows.until)

    for _ in range(2000):
        try:
            rows.take(await lookup.next(NOON, 32))
        except TimeoutError:
            continue
    assert rows.rows == []


async def test_the_longest_due_comes_first() -> None:
    rows = due(100, 1000.0)

    found = await DueLookup(Rows(*rows).until).next(NOON, 10)

    assert found == [key for _, key in sorted(rows)[:10]]
