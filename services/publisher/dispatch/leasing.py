"""A channel's deliveries in the store: what is due, and every step of one taken by compare-and-set."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from services.publisher.channels.port import Channel, Prepared, Sample
from services.publisher.deliveries import sampling, telemetry
from services.publisher.deliveries.model import Delivery, Lease, Refused, Rules
from services.publisher.deliveries.publication import Publication, happen, settle
from services.publisher.deliveries.retry_policy import Lane as LaneName
from services.publisher.deliveries.retry_policy import Pace, lane_of
from services.publisher.deliveries.store import Deliveries
from services.publisher.deliveries.triggers import Claimed, Happening, LeaseLost, SendStarted
from services.publisher.dispatch.due import DueLookup
from services.publisher.dispatch.work_loop import Due
from shared.failures import Failure, Meaning, attempt, backoff, jitter

LEASE: Final = timedelta(seconds=90)
"""Longer than the longest call by far, so that no lease ends under a call."""
UNFINISHED: Final = {"send": {"planned", "sending"}, "mend": {"reconciling", "removing"}, "watch": set[str]()}
"""States in which a lane leaves a delivery when it is ended."""

R = TypeVar("R")


async def until_stored(call: Callable[[], Awaitable[R]]) -> R:
    """Do it, however long the store is away. Raises every other failure."""
    tries = 0
    while isinstance(done := await attempt(call()), Failure):
        if done.meaning is not Meaning.UNAVAILABLE:
            raise done.error
        tries += 1
        await asyncio.sleep(backoff(tries, jitter(), shortest=0.1, longest=2.0))
    return done


@dataclass(frozen=True, slots=True)
class Begun:
    """A delivery whose call may leave, as it was stored, and until when it is ours."""

    publication: Publication
    delivery: Delivery
    until: datetime


class Steps:
    """The deliveries of one channel, as one process takes them on."""

    def __init__(
        self, channel: Channel, deliveries: Deliveries, holder: str, clock: Callable[[], datetime], pace: Pace
    ) -> None:
        self._channel, self._deliveries, self._holder = channel, deliveries, holder
        self._clock, self._pace = clock, pace

    def mine(self, publication: Publication) -> list[Delivery]:
        """The publication's deliveries to this channel."""
        return [each for each in publication.deliveries if each.channel == self._channel.id]

    def due_in(self, publication: Publication, lane: LaneName) -> list[Delivery]:
        """Those of them that are due in a lane."""
        now = self._clock()
        return [
            each
            for each in self.mine(publication)
            if lane_of(each.state) == lane and each.due_at is not None and each.due_at <= now
        ]

    def due(self, lane: LaneName) -> Due:
        """Asks for submissions that have something due in a lane."""
        channel, deliveries = self._channel.id, self._deliveries
        lookup = DueLookup(lambda until: deliveries.due(channel, lane, until))

        async def due(limit: int, skip: Collection[str]) -> list[str]:
            return await lookup.next(self._clock(), limit, skip)

        return due

    async def read(self, submission_id: str) -> Publication:
        """The publication as it is now."""
        return await self._deliveries.read(submission_id)

    async def with_due(self, submission_id: str, lane: LaneName) -> tuple[Publication, list[Delivery]]:
        """A publication, and its deliveries that are due in a lane: as this process saw it last, if some are then."""
        seen = self._deliveries.seen(submission_id)
        if seen is not None and (due := self.due_in(seen, lane)):
            return seen, due
        fresh = await self.read(submission_id)
        return fresh, self.due_in(fresh, lane)

    async def recover(self, lane: LaneName) -> None:
        """Take back what this process had under way in a lane when it was ended."""
        states = UNFINISHED[lane]
        if not states:
            return
        for submission_id in await self._deliveries.leased(self._channel.id, self._clock(), LEASE):
            for delivery in self.mine(await self.read(submission_id)):
                ours = delivery.lease is not None and delivery.lease.holder == self._holder
                if ours and delivery.state in states:
                    await self.take(delivery, lambda _: [LeaseLost(self._holder)])

    async def claim(self, delivery: Delivery) -> Publication | None:
        """The publication with the delivery in our hands; `None` when somebody else has it."""
        lease = self._lease()
        after = await self.take(delivery, lambda _: [Claimed(lease.holder, lease.until)])
        return None if isinstance(after, Refused) else after

    async def begin(self, held: Delivery, prepared: Prepared) -> Begun | None:
        """Store `sending` before the call leaves. `None` when it must not be sent."""
        lease = self._lease()

        def started(publication: Publication) -> Sequence[Happening]:
            allowed = publication.allowed(of(publication, held.id))
            return [SendStarted(held.fence, lease.until, prepared, allowed)]

        return await self._begin(held, started, lease)

    async def claim_and_begin(self, delivery: Delivery) -> Begun | None:
        """The same, and claimed in the same write: where there is nothing to prepare."""
        lease = self._lease()

        def started(publication: Publication) -> Sequence[Happening]:
            known = of(publication, delivery.id)
            allowed = publication.allowed(known)
            return [
                Claimed(lease.holder, lease.until),
                SendStarted(known.fence + 1, lease.until, {}, allowed),
            ]

        return await self._begin(delivery, started, lease)

    async def _begin(
        self, delivery: Delivery, started: Callable[[Publication], Sequence[Happening]], lease: Lease
    ) -> Begun | None:
        after = await until_stored(lambda: self.take(delivery, started))
        if isinstance(after, Refused):  # the write may have succeeded although its answer was lost
            after = await until_stored(lambda: self.read(delivery.submission_id))
        now = of(after, delivery.id)
        return Begun(after, now, lease.until) if now.state == "sending" and now.lease == lease else None

    def _lease(self) -> Lease:
        """A lease that is known again: no other of this holder ends in the same millisecond on the same delivery."""
        until = self._clock() + LEASE
        return Lease(self._holder, until.replace(microsecond=until.microsecond // 1000 * 1000))

    async def record(self, delivery: Delivery, happening: Happening) -> Publication | Refused:
        """Store what happened, however long the store is away: it cannot be made not to have happened."""
        return await until_stored(lambda: self.take(delivery, lambda _: [happening]))

    async def take(
        self,
        delivery: Delivery,
        happenings: Callable[[Publication], Sequence[Happening]],
        samples: Sequence[Sample] = (),
    ) -> Publication | Refused:
        """What happens to one delivery, in one write. Raises when the store is away; it may have been stored then."""
        chance = random.random()  # noqa: S311 - spreads load, guards nothing
        rules = Rules(self._channel.capabilities, chance, self._pace)

        def step(publication: Publication) -> Publication | Refused:
            now, after = self._clock(), publication
            for happening in happenings(publication):
                moved = happen(after, delivery.id, happening, now, rules)
                if isinstance(moved, Refused):
                    return moved
                after = moved
            after = sampling.take(after, delivery.id, samples)
            return settle(after, self._deliveries.outlets, now, delivery.trace)

        after = await self._deliveries.change(delivery.submission_id, step)
        if isinstance(after, Refused):
            telemetry.refused(self._channel, delivery, after.reason)
        else:
            telemetry.changed(self._channel, delivery, of(after, delivery.id))
        return after


def of(publication: Publication, wanted: str) -> Delivery:
    """The delivery with this id, which is there."""
    found = publication.delivery(wanted)
    assert found is not None  # noqa: S101 - deliveries are never taken out of a publication
    return found
