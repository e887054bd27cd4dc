"""Many who change one document at once, on the real database: all get there, and who cannot is told the true reason."""

import asyncio

import pytest

from shared.failures import Conflict, Meaning, meaning_of
from shared.storage.compare_and_set import Race
from shared.storage.mongo import Database


async def add_one(database: Database, *, seen: str = "number", tries: int = 30) -> int:
    """One more, by load, decide, write; `seen` names the field that the writer believes to have seen."""
    race = Race("the number", tries=tries)
    while True:
        found = await database["numbers"].find_one({"_id": 1})
        assert found is not None
        done = await database["numbers"].update_one(
            {"_id": 1, seen: found["number"]}, {"$set": {"number": found["number"] + 1}}
        )
        if done.modified_count:
            return int(found["number"]) + 1
        await race.lost()


async def test_everybody_gets_there_once(database: Database) -> None:
    await database["numbers"].insert_one({"_id": 1, "number": 0})

    made = await asyncio.gather(*(add_one(database) for _ in range(12)))

    assert sorted(made) == list(range(1, 13))
    assert await database["numbers"].find_one({"_id": 1}) == {"_id": 1, "number": 12}


async def test_who_loses_every_time_is_told_of_the_others_and_not_of_an_outage(database: Database) -> None:
    await database["numbers"].insert_one({"_id": 1, "number": 0})

    with pytest.raises(Conflict, match="the number") as lost:
        await add_one(database, seen="never there", tries=3)

    assert meaning_of(lost.value) is Meaning.FAILED
    assert await database["numbers"].find_one({"_id": 1}) == {"_id": 1, "number": 0}
