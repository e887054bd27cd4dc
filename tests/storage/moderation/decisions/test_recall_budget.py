"""One person takes back no more alone than one may."""

import asyncio
from datetime import timedelta

from services.moderation.decisions.recall_budget import WITHIN, RecallBudget
from shared.storage.mongo import Database
from tests.support.builders.submissions import NOW


async def test_no_more_than_so_many_are_allowed_within_the_time(database: Database) -> None:
    budget = RecallBudget(database["recalls"], alone=3)

    allowed = await asyncio.gather(*(budget.spend("one", NOW) for _ in range(6)))

    assert sum(allowed) == 3
    assert await budget.spend("two", NOW)
    assert not await budget.spend("one", NOW + WITHIN - timedelta(seconds=1))
    assert await budget.spend("one", NOW + WITHIN)
