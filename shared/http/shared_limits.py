"""Token buckets that all replicas of a service share, kept in its database; see `shared.http.rate_limit` for one process.

Two ways to spend, by what a request is worth:

- `spend` asks the database at once. Nobody gets more than the allowance, however many replicas there are. For what is
  rare and must hold exactly: wrong codes.
- `count` costs a request nothing: the process's own bucket answers, and `run` brings it and the others' together every
  second, with two round trips for all that was asked meanwhile. Within one second each replica may hand out the allowance
  once; what was too much is a debt, paid back before anybody gets more. For what is frequent: accepted requests.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from shared.http.rate_limit import SECONDS_PER_HOUR, Allowance, Bucket, Limiter, spend, too_many
from shared.storage.compare_and_set import Race
from shared.storage.document import Document
from shared.storage.mongo import Collection, DuplicateKeyError, UpdateOne

TOGETHER_SECONDS: Final = 1.0
FORGOTTEN_AFTER: Final = timedelta(minutes=5)
"""How long after it is full again a bucket is kept."""


class SharedLimiter:
    """The buckets of one kind of request."""

    def __init__(
        self,
        name: str,
        what: str,
        allowance: Allowance,
        collection: Collection,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`name` tells this kind from others in the collection, `what` tells people what there were too many of."""
        self._name, self._what, self._allowance = name, what, allowance
        self._collection, self._clock = collection, clock
        self._own = Limiter(what, allowance)
        self._pending: dict[str, int] = {}

    async def prepare(self) -> None:
        """Make the index by which full buckets are removed."""
        await self._collection.create_index([("until", 1)], expireAfterSeconds=0, name="until")

    async def spend(self, key: str) -> None:
        """Take one from the shared bucket. Raises 429 when it has none."""
        race = Race("this limit")
        while True:
            now = self._clock()
            found = await self._collection.find_one({"_id": self._id(key)})
            moment, most = now.timestamp(), float(self._allowance.at_once)
            bucket = Bucket(found["left"], found["at"]) if found else Bucket(most, moment)
            after = spend(bucket, self._allowance, moment)
            if isinstance(after, float):
                raise too_many(self._what, after)
            if await self._write(found, self._id(key), after, now):
                return
            await race.lost()

    def count(self, key: str) -> None:
        """Take one from this process's bucket. Raises 429 when it has none."""
        self._own.count(key)
        self._pending[key] = self._pending.get(key, 0) + 1

    async def run(self) -> None:
        """Bring the processes' buckets together, for ever."""
        while True:
            await asyncio.sleep(TOGETHER_SECONDS)
            await self.bring_together()

    async def bring_together(self) -> None:
        """Take what was counted here from the shared buckets, and learn what is left of them."""
        pending, self._pending = self._pending, {}
        if not pending:
            return
        now = self._clock()
        # The database works it out, so that replicas which do this at once don't undo each other. What a failure leaves
        # uncounted is lost: a limit is no reason to count somebody's request twice.
        await self._collection.bulk_write(
            [
                UpdateOne({"_id": self._id(key)}, self._taking(count, now), upsert=True)
                for key, count in pending.items()
            ],
            ordered=False,
        )
        ids = {self._id(key): key for key in pending}
        async for found in self._collection.find({"_id": {"$in": list(ids)}}):
            key = ids[found["_id"]]
            self._own.learn(key, Bucket(found["left"] - self._pending.get(key, 0), monotonic()))

    def _taking(self, count: int, now: datetime) -> list[Document]:
        """The change of a bucket, worked out there: filled up to now, then so many taken, into debt if need be."""
        moment, most = now.timestamp(), float(self._allowance.at_once)
        passed = {"$max": [0.0, {"$subtract": [moment, {"$ifNull": ["$at", moment]}]}]}
        filled = {
            "$add": [
                {"$ifNull": ["$left", most]},
                {"$multiply": [passed, self._allowance.per_hour / SECONDS_PER_HOUR]},
            ]
        }
        return [
            {
                "$set": {
                    "left": {"$subtract": [{"$min": [most, filled]}, count]},
                    "at": {"$max": [moment, {"$ifNull": ["$at", moment]}]},
                    "until": self._until(now),
                }
            }
        ]

    def _id(self, key: str) -> str:
        return f"{self._name} {key}"

    def _until(self, now: datetime) -> datetime:
        """When an empty bucket is full again, and a while."""
        hours = self._allowance.at_once / self._allowance.per_hour
        return now + timedelta(hours=hours) + FORGOTTEN_AFTER

    async def _write(self, before: Document | None, bucket_id: str, bucket: Bucket, now: datetime) -> bool:
        """Whether nobody else was quicker."""
        fields: Document = {"left": bucket.left, "at": bucket.at, "until": self._until(now)}
        if before is None:
            try:
                await self._collection.insert_one({"_id": bucket_id, **fields})
            except DuplicateKeyError:
                return False
            return True
        unchanged = {"_id": bucket_id, "left": before["left"], "at": before["at"]}
        done = await self._collection.update_one(unchanged, {"$set": fields})
        return bool(done.matched_count)
