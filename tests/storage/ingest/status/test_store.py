"""The ledger in the store: what the fold says, whoever writes at the same time."""

import asyncio
from random import Random

import pytest

from services.ingest.status.rules import Progress, Told, submission_of
from services.ingest.status.store import Ledger
from shared.storage.mongo import Database
from tests.support.builders.submission_lives import LIFE, SUBMISSION, case, fold, reach


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


def lives(count: int) -> list[Told]:
    """The same life, led by several submissions at once."""
    return [
        event.model_copy(
            update={"submission_id" if hasattr(event, "submission_id") else "subject_id": f"{SUBMISSION}-{n}"}
        )
        for event in LIFE
        for n in range(count)
    ]


async def expect_the_folds(ledger: Ledger, events: list[Told]) -> None:
    for submission_id in {submission_of(event) for event in events}:
        own = [event for event in events if submission_of(event) == submission_id]
        assert await ledger.of(submission_id) == fold(own)


@pytest.mark.parametrize("size", [1, 3, 64])
async def test_lives_told_in_batches_side_by_side_with_single_events_are_the_folds(
    ledger: Ledger, size: int
) -> None:
    events = lives(3)
    shuffled = [*events, *events]
    Random(size).shuffle(shuffled)
    batches = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]

    async def tell(part: list[list[Told]]) -> None:
        for batch in part:
            await ledger.tell_all(batch)

    async def tell_singly() -> None:
        for event in shuffled[::7]:
            await ledger.tell(event)

    await asyncio.gather(tell(batches[::2]), tell(batches[1::2]), tell_singly())

    await expect_the_folds(ledger, events)


async def test_of_a_batch_is_told_which_events_changed_something(ledger: Ledger) -> None:
    assert await ledger.tell_all([case(2, "in_review"), case(1, "screened"), reach(1, 3)]) == [
        True,
        False,
        True,
    ]
    assert await ledger.tell_all([case(2, "in_review"), case(3, "approved")]) == [False, True]
