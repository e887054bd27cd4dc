"""The ledger in the store: what the fold says, whoever writes at the same time."""

import asyncio
from random import Random

import pytest

from services.ingest.status.rules import Progress
from services.ingest.status.store import Ledger
from shared.storage.mongo import Database
from tests.unit.ingest.status.test_rules import LIFE, SUBMISSION, case, fold, reach


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database["ledger"])


async def test_nothing_told_is_an_empty_record(ledger: Ledger) -> None:
    assert await ledger.of(SUBMISSION) == Progress()
    assert await ledger.of_all([SUBMISSION]) == {}


async def test_a_life_told_at_once_in_any_order_and_twice_is_the_fold(ledger: Ledger) -> None:
    events = [*LIFE, *LIFE]
    Random(7).shuffle(events)

    await asyncio.gather(*(ledger.tell(event) for event in events))

    assert await ledger.of(SUBMISSION) == fold(LIFE)


async def test_what_is_told_again_changes_nothing(ledger: Ledger) -> None:
    assert await ledger.tell(case(2, "in_review"))
    assert not await ledger.tell(case(2, "in_review"))
    assert not await ledger.tell(case(1, "screened"))


async def test_several_are_looked_up_together(ledger: Ledger) -> None:
    await ledger.tell(reach(1, 3))

    assert await ledger.of_all([SUBMISSION, "other"]) == {SUBMISSION: fold([reach(1, 3)])}
