"""The channels' accounts in the database: rates and pauses that all processes share."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from services.publisher.dispatch.rate_limit import Account, RateWait, pause, take_turn, went_well
from shared.failures import Failure, attempt
from shared.storage.compare_and_set import Race
from shared.storage.mongo import Collection, is_duplicate

_ACCOUNT = TypeAdapter(Account)


class Accounts:
    """The store of accounts. What this process saw last is remembered, so that a pause it knows of costs no read."""

    def __init__(self, collection: Collection, *, clock: Callable[[], datetime]) -> None:
        self._collection, self._clock = collection, clock
        self._known: dict[str, Account] = {}

    async def read(self, channel: str) -> Account:
        """The account as it is now."""
        found = await self._collection.find_one({"_id": channel})
        if found is None:
            return Account(channel)
        return _ACCOUNT.validate_python({**found, "channel": found["_id"]})

    async def take(self, channel: str, rate: float | None) -> RateWait | None:
        """Take the turn for one call; `None` when it may leave, else until when to wait."""

        def step(account: Account) -> Account | RateWait:
            return take_turn(account, self._clock(), rate=rate)

        known = self._known.get(channel)
        if known is not None and isinstance(waiting := step(known), RateWait):
            return waiting
        done = await self._change(channel, step)
        return done if isinstance(done, RateWait) else None

    async def pause(self, channel: str, seconds: float, reason: str) -> None:
        """Let no call leave for a while."""
        until = self._clock() + timedelta(seconds=seconds)
        await self._change(channel, lambda account: pause(account, until, reason))

    async def went_well(self, channel: str) -> None:
        """The channel took a call."""
        known = self._known.get(channel)
        if known is None or went_well(known) != known:
            await self._change(channel, went_well)

    async def _change(
        self, channel: str, step: Callable[[Account], Account | RateWait]
    ) -> Account | RateWait:
        race = Race(f"channel {channel}")
        while True:
            before = await self.read(channel)
            after = step(before)
            if isinstance(after, RateWait):
                self._known[channel] = before
                return after
            if after == before:
                self._known[channel] = before
                return before
            after = replace(after, version=before.version + 1)
            if await self._write(before, after):
                self._known[channel] = after
                return after
            await race.lost()

    async def _write(self, before: Account, after: Account) -> bool:
        fields = _ACCOUNT.dump_python(after, exclude={"channel"})
        if before.version == 0:
            done = await attempt(self._collection.insert_one({"_id": after.channel, **fields}))
            if isinstance(done, Failure):
                if is_duplicate(done.error):
                    return False
                raise done.error
            return True
        result = await self._collection.update_one(
            {"_id": after.channel, "version": before.version}, {"$set": fields}
        )
        return result.matched_count == 1
