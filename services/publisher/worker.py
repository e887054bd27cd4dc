"""A channel's worker: brings what is due to the channel, and every outcome back into the store.

Only `delivery.advance` decides; this file calls and records. Before anything can become visible, `sending` is stored;
after it, the outcome is stored for as long as it takes. A worker that is ended in between leaves `sending` behind,
which is settled like any other unknown outcome.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from opentelemetry import trace

from services.publisher import sampling, telemetry
from services.publisher.accounts import Accounts
from services.publisher.budget import Wait
from services.publisher.channels.port import (
    Absent,
    Channel,
    NotSent,
    Outcome,
    Post,
    Posted,
    Prepared,
    Rejected,
    Removed,
    Residue,
    Sample,
    Unknown,
)
from services.publisher.deliveries import Deliveries
from services.publisher.delivery import Delivery, Refused, Rules, leased
from services.publisher.happenings import (
    Answered,
    CannotLook,
    Checked,
    Claimed,
    Happening,
    LeaseLost,
    Looked,
    PrepareFailed,
    RemovalAnswered,
    SendStarted,
)
from services.publisher.lane import Lane
from services.publisher.publication import Publication, happen, settle
from services.publisher.schedule import DEFAULT_PACE, LANES, Pace, lane_of, may_commit
from services.publisher.schedule import Lane as LaneName
from shared.settle import Failure, Meaning, attempt, backoff, jitter
from shared.telemetry import context_of

LEASE: Final = timedelta(seconds=90)
"""Longer than the longest call by far, so that no lease ends under a call."""
DEADLINE: Final = 30.0
"""Seconds that any one call to a channel may take."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every channel's worker shares."""

    deliveries: Deliveries
    accounts: Accounts
    holder: str
    """This process; the same after a restart, so that it knows its own unfinished work again."""
    clock: Callable[[], datetime]
    post: Callable[[Publication, Delivery], Post]
    """What the channel is given to show."""
    before_commit: Callable[[Post], Awaitable[None]]
    """Done before a commit: the short link's way without a bus or a database. May raise `Unavailable`."""
    pace: Pace = DEFAULT_PACE
    deadline: float = DEADLINE


class Worker:
    """One channel's three lanes. `jobs` are run side by side, for ever."""

    def __init__(self, channel: Channel, around: Surroundings) -> None:
        self.channel, self._around = channel, around
        self._account = asyncio.Lock()
        """One call that changes something at a time; `Accounts` sees to the other processes."""
        work: Mapping[LaneName, Callable[[str], Awaitable[bool]]] = {
            "send": self.send,
            "mend": self.mend,
            "watch": self.watch,
        }
        self.lanes = {name: Lane(self._due(name), work[name]) for name in LANES}

    @property
    def jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Background work by name."""
        return {f"{self.channel.id}.{name}": self._job(name) for name in LANES}

    def tell(self, publication: Publication) -> None:
        """Wake the lanes that have work on this publication now."""
        now = self._around.clock()
        for delivery in self._mine(publication):
            lane = lane_of(delivery.state)
            if lane is not None and delivery.due_at is not None and delivery.due_at <= now:
                self.lanes[lane].tell(publication.submission_id)

    async def close(self) -> None:
        """Begin nothing new; return when calls in flight are done."""
        await asyncio.gather(*(lane.close() for lane in self.lanes.values()))
        await self._around.accounts.give_back(self.channel.id)

    async def recover(self, lane: LaneName) -> None:
        """Take back what this process had under way in a lane when it was ended."""
        states = {"send": {"planned", "sending"}, "mend": {"reconciling", "removing"}, "watch": set[str]()}[
            lane
        ]
        if not states:
            return
        lost = LeaseLost(self._around.holder)
        for submission_id in await self._around.deliveries.leased(
            self.channel.id, self._around.clock(), LEASE
        ):
            publication = await self._around.deliveries.read(submission_id)
            for delivery in self._mine(publication):
                ours = delivery.lease is not None and delivery.lease.holder == self._around.holder
                if ours and delivery.state in states:
                    await self._change(delivery, lost)

    # the lanes' work

    async def send(self, submission_id: str) -> bool:
        """Send what is due of one submission; whether anything was done."""
        done = False
        for delivery in await self._due_of(submission_id, "send"):
            async with self._account:
                if not await self._turn():
                    return done
                with self._span("send", delivery):
                    done = await self._send(delivery) or done
        return done

    async def mend(self, submission_id: str) -> bool:
        """Find out or take away what is due of one submission; whether anything was done."""
        done = False
        for delivery in await self._due_of(submission_id, "mend"):
            if delivery.state == "sending":
                done = await self._swept(delivery) or done
            elif delivery.state == "removing":
                async with self._account:
                    if not await self._turn():
                        return done
                    with self._span("remove", delivery):
                        done = await self._remove(delivery) or done
            else:
                with self._span("reconcile", delivery):
                    done = await self._look(delivery) or done
        return done

    async def watch(self, submission_id: str) -> bool:
        """Look after what is posted of one submission; whether anything was done."""
        done = False
        for delivery in await self._due_of(submission_id, "watch"):
            with self._span("visit", delivery):
                done = await self._visit(delivery) or done
        return done

    # one delivery's next step

    async def _send(self, delivery: Delivery) -> bool:
        publication = await self._claim(delivery)
        if publication is None:
            return False
        held = _delivery(publication, delivery.id)
        post = replace(self._around.post(publication, held), attempt=held.attempt + 1)
        prepared = await self._prepare(post)
        if isinstance(prepared, Rejected | NotSent):
            await self._trouble(prepared)
            await self._insist(held, lambda _: PrepareFailed(held.fence, prepared))
            return True
        if not await self._begin(held, prepared):
            return True
        outcome = await self._commit(held, post, prepared)
        await self._trouble(outcome)
        telemetry.commit_answered(self.channel, held, outcome, self._around.clock())
        await self._insist(held, lambda _: Answered(held.attempt + 1, outcome))
        return True

    async def _prepare(self, post: Post) -> Prepared | Rejected | NotSent:
        ready = await attempt(self._around.before_commit(post))
        if isinstance(ready, Failure):
            return NotSent("not_ready", ready.reason)
        prepared = await attempt(self._bounded(self.channel.prepare(post)))
        if isinstance(prepared, Failure):
            return NotSent("preparation_failed", prepared.reason)
        return prepared

    async def _begin(self, held: Delivery, prepared: Prepared) -> bool:
        """Store `sending`; whether the commit may leave. Nothing has left yet when this is refused."""
        until = self._around.clock() + LEASE

        def started(publication: Publication) -> SendStarted:
            return SendStarted(
                held.fence, until, prepared, publication.allowed(_delivery(publication, held.id))
            )

        after = await self._insist(held, started)
        if isinstance(after, Refused):
            publication = await self._insist_reading(held)
            now = publication.delivery(held.id)
            # The write may have succeeded although its answer was lost.
            return now is not None and now.state == "sending" and now.unanswered == held.attempt + 1
        return True

    async def _commit(self, held: Delivery, post: Post, prepared: Prepared) -> Outcome:
        now = self._around.clock()
        if not may_commit(await self._lease_end(held), now, self._around.deadline):
            return NotSent(
                "too_late", "The store took so long that the lease had nearly ended; nothing left."
            )
        outcome = await attempt(self._bounded(self.channel.commit(post, prepared)))
        if isinstance(outcome, Failure):
            return Unknown("call_failed", outcome.reason)
        return outcome

    async def _swept(self, delivery: Delivery) -> bool:
        if leased(delivery, self._around.clock()):
            return False
        return not isinstance(await self._change(delivery, LeaseLost()), Refused)

    async def _look(self, delivery: Delivery) -> bool:
        publication = await self._claim(delivery)
        if publication is None:
            return False
        held = _delivery(publication, delivery.id)
        if not self.channel.capabilities.lookup:
            await self._insist(held, lambda _: CannotLook(held.fence))
            return True
        post = self._around.post(publication, held)
        found = await attempt(self._bounded(self.channel.reconcile(post, held.prepared)))
        answer = Unknown("look_failed", found.reason) if isinstance(found, Failure) else found
        await self._insist(held, lambda _: Looked(held.fence, answer))
        return True

    async def _remove(self, delivery: Delivery) -> bool:
        publication = await self._claim(delivery)
        if publication is None:
            return False
        held = _delivery(publication, delivery.id)
        outcome = await self._removal(self._around.post(publication, held), held)
        await self._trouble(outcome)
        await self._insist(held, lambda _: RemovalAnswered(held.fence, outcome))
        return True

    async def _removal(self, post: Post, held: Delivery) -> Removed | Residue | NotSent | Unknown:
        if not self.channel.capabilities.remove:
            return Residue("This channel has no way to remove; somebody has to do it there.")
        outcome = await attempt(self._bounded(self.channel.remove(post, held.remote_id or held.id)))
        return Unknown("removal_failed", outcome.reason) if isinstance(outcome, Failure) else outcome

    async def _visit(self, delivery: Delivery) -> bool:
        can, publication = (
            self.channel.capabilities,
            await self._around.deliveries.read(delivery.submission_id),
        )
        post, remote_id = self._around.post(publication, delivery), delivery.remote_id or delivery.id
        found: Posted | Absent | Unknown = Posted(remote_id)
        if can.read_back and delivery.visits < self._around.pace.read_backs:
            seen = await attempt(self._bounded(self.channel.read_back(post, remote_id)))
            found = Unknown("read_back_failed", seen.reason) if isinstance(seen, Failure) else seen
        samples: list[Sample] = []
        if can.sample and isinstance(found, Posted):
            figures = await attempt(self._bounded(self.channel.sample(post, remote_id)))
            samples = [] if isinstance(figures, Failure) else list(figures)
        if isinstance(found, Absent):
            telemetry.not_visible(self.channel, delivery)
        done = await self._change(delivery, Checked(found), samples)
        return not isinstance(done, Refused)

    # the store

    def _due(self, lane: LaneName) -> Callable[[int], Awaitable[list[str]]]:
        async def due(limit: int) -> list[str]:
            return await self._around.deliveries.due(self.channel.id, lane, self._around.clock(), limit)

        return due

    def _job(self, lane: LaneName) -> Callable[[], Awaitable[None]]:
        async def job() -> None:
            await self.recover(lane)
            await self.lanes[lane].run()

        return job

    def _mine(self, publication: Publication) -> list[Delivery]:
        return [each for each in publication.deliveries if each.channel == self.channel.id]

    async def _due_of(self, submission_id: str, lane: LaneName) -> list[Delivery]:
        publication = await self._around.deliveries.read(submission_id)
        now = self._around.clock()
        return [
            each
            for each in self._mine(publication)
            if lane_of(each.state) == lane and each.due_at is not None and each.due_at <= now
        ]

    async def _claim(self, delivery: Delivery) -> Publication | None:
        claim = Claimed(self._around.holder, self._around.clock() + LEASE)
        after = await self._change(delivery, claim)
        return None if isinstance(after, Refused) else after

    async def _change(
        self, delivery: Delivery, happening: Happening, samples: list[Sample] | None = None
    ) -> Publication | Refused:
        return await self._tell(delivery, lambda _: happening, samples or [])

    async def _tell(
        self, delivery: Delivery, happening: Callable[[Publication], Happening], samples: list[Sample]
    ) -> Publication | Refused:
        chance = random.random()  # noqa: S311 - spreads load, guards nothing
        rules = Rules(self.channel.capabilities, chance, self._around.pace)
        deliveries = self._around.deliveries

        def step(publication: Publication) -> Publication | Refused:
            now = self._around.clock()
            after = happen(publication, delivery.id, happening(publication), now, rules)
            if isinstance(after, Refused):
                return after
            return settle(sampling.take(after, delivery.id, samples), deliveries.outlets, now, delivery.trace)

        after = await deliveries.change(delivery.submission_id, step)
        if isinstance(after, Refused):
            telemetry.refused(self.channel, delivery, after.reason)
        else:
            telemetry.changed(self.channel, delivery, _delivery(after, delivery.id))
        return after

    async def _insist(
        self, delivery: Delivery, happening: Callable[[Publication], Happening]
    ) -> Publication | Refused:
        """Store it, however long the store is away: it happened."""
        return await self._until_stored(lambda: self._tell(delivery, happening, []))

    async def _insist_reading(self, delivery: Delivery) -> Publication:
        return await self._until_stored(lambda: self._around.deliveries.read(delivery.submission_id))

    async def _until_stored(self, call: Callable[[], Awaitable[R]]) -> R:
        tries = 0
        while isinstance(done := await attempt(call()), Failure):
            if done.meaning is not Meaning.UNAVAILABLE:
                raise done.error
            tries += 1
            await asyncio.sleep(backoff(tries, jitter(), shortest=0.1, longest=2.0))
        return done

    async def _lease_end(self, held: Delivery) -> datetime:
        publication = await self._insist_reading(held)
        lease = _delivery(publication, held.id).lease
        return self._around.clock() if lease is None else lease.until

    # the channel

    async def _turn(self) -> bool:
        """Whether this process may call now; when not, wait a little for it."""
        waiting = await self._around.accounts.take(self.channel.id, self.channel.capabilities.rate_per_second)
        if waiting is None:
            return True
        await asyncio.sleep(_moment(waiting, self._around.clock()))
        return False

    async def _trouble(self, outcome: object) -> None:
        """Pause the channel when the channel asked for it, or refused the account."""
        accounts, channel = self._around.accounts, self.channel.id
        match outcome:
            case NotSent(_, detail, float() | int() as seconds):
                await self._until_stored(lambda: accounts.pause(channel, seconds, detail))
            case Rejected(_, detail, "channel"):
                await self._until_stored(
                    lambda: accounts.pause(channel, self._around.pace.channel_trouble, detail)
                )
            case Posted():
                await self._until_stored(lambda: accounts.went_well(channel))

    async def _bounded(self, call: Awaitable[T]) -> T:
        async with asyncio.timeout(self._around.deadline):
            return await call

    def _span(self, what: str, delivery: Delivery) -> AbstractContextManager[trace.Span]:
        tracer = trace.get_tracer("konullu")
        return tracer.start_as_current_span(f"{what} {self.channel.kind}", context=context_of(delivery.trace))


def _delivery(publication: Publication, wanted: str) -> Delivery:
    found = publication.delivery(wanted)
    assert found is not None  # noqa: S101 - deliveries are never taken out of a publication
    return found


def _moment(waiting: Wait, now: datetime) -> float:
    return min(max((waiting.until - now).total_seconds(), 0.01), 1.0)
