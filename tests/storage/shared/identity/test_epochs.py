"""Since when a person's tokens count, on the real database."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

from shared.events import Scopes, StaffChanged
from shared.identity.tokens import Epochs, TokenClaims
from shared.storage.document import Document
from shared.storage.mongo import Collection, Database


def change(version: int, *, epoch: int, active: bool = True, ended: tuple[str, ...] = ()) -> StaffChanged:
    return StaffChanged(
        event_id=uuid4(),
        occurred_at=datetime.now(UTC),
        subject_id="leyla",
        version=version,
        role="moderator",
        scopes=Scopes(),
        token_epoch=epoch,
        active=active,
        ended_sessions=ended,
    )


CLAIMS = TokenClaims(iss="konullu", sub="leyla", role="moderator", epoch=1, sid="one", iat=0, exp=2**40)


async def test_a_change_counts_at_once_and_an_older_one_not_at_all(database: Database) -> None:
    epochs = Epochs(database["epochs"])
    assert not await epochs.refuses(CLAIMS)

    await epochs.apply(change(2, epoch=1, ended=("one",)))
    assert await epochs.refuses(CLAIMS)
    await epochs.apply(change(1, epoch=1))
    assert await epochs.refuses(CLAIMS)
    await epochs.apply(change(3, epoch=1, active=False))
    assert await epochs.refuses(CLAIMS.model_copy(update={"sid": None}))


async def test_what_is_read_while_a_change_comes_in_is_not_remembered(database: Database) -> None:
    epochs = Epochs(database["epochs"])
    await epochs.apply(change(1, epoch=1))

    for version in range(2, 22):
        claims = CLAIMS.model_copy(update={"epoch": version - 1})
        epochs.forget("leyla")
        changing = asyncio.create_task(epochs.apply(change(version, epoch=version)))
        reading = []
        while not changing.done():
            reading.append(asyncio.create_task(epochs.refuses(claims)))
            await asyncio.sleep(0)
        await asyncio.gather(*reading)
        assert await epochs.refuses(claims)


async def test_many_who_ask_at_once_with_one_token_ask_the_store_once(database: Database) -> None:
    reads = 0

    class Counted:
        def __getattr__(self, name: str) -> Any:
            return getattr(database["epochs"], name)

        async def find_one(self, *arguments: Any) -> Any:
            nonlocal reads
            reads += 1
            return await database["epochs"].find_one(*arguments)

    epochs = Epochs(Counted())  # type: ignore[arg-type]  # the real collection, counted
    await epochs.apply(change(1, epoch=1))

    assert await asyncio.gather(*(epochs.refuses(CLAIMS) for _ in range(64))) == [False] * 64
    assert reads == 1


class Counted:
    """A collection that counts how often it is read, and fails when told to."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.reads = 0
        self.failure: Exception | None = None

    async def find_one(self, *arguments: Any) -> Document | None:
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        return await self._collection.find_one(*arguments)


async def test_many_requests_of_one_person_at_once_read_once(database: Database) -> None:
    await Epochs(database["epochs"]).apply(change(1, epoch=2))
    counted = Counted(database["epochs"])
    epochs = Epochs(cast("Collection", counted))
    others = [CLAIMS.model_copy(update={"sub": name}) for name in ("orxan", "aytən")]

    refused = await asyncio.gather(*(epochs.refuses(claims) for claims in [CLAIMS, *others] * 64))

    assert refused == [True, False, False] * 64
    assert counted.reads == 3


async def test_one_who_goes_away_while_it_is_read_takes_nothing_from_the_others(database: Database) -> None:
    epochs = Epochs(database["epochs"])
    first, second = (asyncio.create_task(epochs.refuses(CLAIMS)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()

    assert await second is False


async def test_a_store_that_is_away_is_told_to_all_who_wait_and_asked_again_by_the_next(
    database: Database,
) -> None:
    counted = Counted(database["epochs"])
    counted.failure = RuntimeError("away")
    epochs = Epochs(cast("Collection", counted))

    told = await asyncio.gather(*(epochs.refuses(CLAIMS) for _ in range(5)), return_exceptions=True)
    counted.failure = None

    assert [str(each) for each in told] == ["away"] * 5
    assert await epochs.refuses(CLAIMS) is False
    assert counted.reads == 2
