"""A channel's worker: brings what is due to the channel, and every outcome back into the store.

Only `transitions.advance` decides; this file calls and records. Before anything can become visible, `sending` is stored;
after it, the outcome is stored for as long as it takes. A worker that is ended in between leaves `sending` behind,
which is settled like any other unknown outcome.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from opentelemetry import trace

from services.publisher.channels.port import (
    Absent,
    Channel,
    NotSent,
    Outcome,
    Post,
    Posted,
    Preparation,
    Prepared,
    Rejected,
    Removed,
    Residue,
    Sample,
    Underway,
    Unknown,
)
from services.publisher.deliveries import telemetry
from services.publisher.deliveries.model import Delivery, Refused
from services.publisher.deliveries.publication import Publication
from services.publisher.deliveries.retry_policy import DEFAULT_PACE, LANES, Pace, may_commit
from services.publisher.deliveries.retry_policy import Lane as LaneName
from services.publisher.deliveries.store import Deliveries
from services.publisher.deliveries.triggers import (
    Answered,
    CannotLook,
    Checked,
    LeaseLost,
    Looked,
    PrepareFailed,
    PrepareStepped,
    RemovalAnswered,
)
from services.publisher.dispatch.leasing import Begun, Steps, of, until_stored
from services.publisher.dispatch.rate_limit_store import Accounts
from services.publisher.dispatch.work_loop import WorkLoop
from shared.failures import Failure, attempt
from shared.observability.telemetry import context_of

DEADLINE: Final = 75.0
"""Seconds after which any call to a channel is given up, whatever the channel's own deadlines say; less than a lease."""
SHORT_WAIT: Final = 1.0
"""Seconds for which a turn is waited for on the spot."""
LOOKS_AT_ONCE: Final = 4
"""Visits that a channel has at the same time."""

T = TypeVar("T")


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
        self._steps = Steps(channel, around.deliveries, around.holder, around.clock, around.pace)
        self._turns = asyncio.Lock()
        """Who waits for a turn waits in a row; calls in flight hold up nobody."""
        self._recovered: set[LaneName] = set()
        work: Mapping[LaneName, Callable[[str], Awaitable[bool]]] = {
            "send": self._send_due,
            "mend": self._mend_due,
            "watch": self._watch_due,
        }
        in_flight = channel.capabilities.in_flight
        at_once: Mapping[LaneName, int] = {"send": in_flight, "mend": in_flight, "watch": LOOKS_AT_ONCE}
        self.lanes = {
            name: WorkLoop(self._steps.due(name), work[name], at_once=at_once[name]) for name in LANES
        }

    @property
    def jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Background work by name."""
        return {f"{self.channel.id}.{name}": self._job(name) for name in LANES}

    def tell(self, publication: Publication) -> None:
        """Wake the lanes that have work on this publication now."""
        for name, lane in self.lanes.items():
            if self._steps.due_in(publication, name):
                lane.tell(publication.submission_id)

    async def recover(self, lane: LaneName) -> None:
        """Take back what this process had under way in a lane when it was ended; once, as long as it runs."""
        if lane not in self._recovered:
            await self._steps.recover(lane)
            self._recovered.add(lane)

    async def close(self) -> None:
        """Begin nothing new; return when calls in flight are done."""
        await asyncio.gather(*(lane.close() for lane in self.lanes.values()))

    def _job(self, lane: LaneName) -> Callable[[], Awaitable[None]]:
        async def job() -> None:
            await self.recover(lane)
            await self.lanes[lane].run()

        return job

    # what is due of one submission in a lane; the answer is whether anything was done

    async def _send_due(self, submission_id: str) -> bool:
        done, (publication, due) = False, await self._steps.with_due(submission_id, "send")
        for delivery in due:
            if not await self._turn():
                return done
            with self._span("send", delivery):
                done = await self._send(delivery, publication) or done
        return done

    async def _mend_due(self, submission_id: str) -> bool:
        done, (_, due) = False, await self._steps.with_due(submission_id, "mend")
        for delivery in due:
            if delivery.state == "sending":
                done = await self._sweep(delivery) or done
            elif delivery.state == "removing":
                if not await self._turn():
                    return done
                with self._span("remove", delivery):
                    done = await self._remove(delivery) or done
            else:
                with self._span("reconcile", delivery):
                    done = await self._look(delivery) or done
        return done

    async def _watch_due(self, submission_id: str) -> bool:
        done, (publication, due) = False, await self._steps.with_due(submission_id, "watch")
        for delivery in due:
            with self._span("visit", delivery):
                done = await self._visit(delivery, publication) or done
        return done

    # one delivery's next step

    async def _send(self, delivery: Delivery, known: Publication) -> bool:
        if not self.channel.capabilities.prepares:
            return await self._send_at_once(delivery, known)
        claimed = await self._steps.claim(delivery)
        if claimed is None:
            return False
        held = of(claimed, delivery.id)
        post = self._around.post(claimed, held)
        prepared = await self._prepare(replace(post, attempt=held.attempt + 1), held.prepared)
        if isinstance(prepared, Underway):
            await self._steps.record(held, PrepareStepped(held.fence, prepared.so_far, prepared.again_in))
            return True
        if isinstance(prepared, Rejected | NotSent):
            await self._trouble(prepared)
            await self._steps.record(held, PrepareFailed(held.fence, prepared))
            return True
        begun = await self._steps.begin(held, prepared)
        if begun is not None:
            await self._call(begun, prepared)
        return True

    async def _send_at_once(self, delivery: Delivery, known: Publication) -> bool:
        """Where there is nothing to prepare: one write while the short link's way is laid, then the call."""
        begun, ready = await asyncio.gather(
            self._steps.claim_and_begin(delivery),
            attempt(self._around.before_commit(self._around.post(known, delivery))),
        )
        if begun is None:
            return False
        if isinstance(ready, Failure):
            not_sent = NotSent("not_ready", ready.reason)
            await self._steps.record(begun.delivery, Answered(begun.delivery.attempt, not_sent))
        else:
            await self._call(begun, {})
        return True

    async def _call(self, begun: Begun, prepared: Prepared) -> None:
        """The one call that shows it, and its answer."""
        delivery = begun.delivery
        outcome = await self._commit(self._around.post(begun.publication, delivery), prepared, begun.until)
        telemetry.commit_answered(self.channel, delivery, outcome, self._around.clock())
        await self._trouble(outcome)
        await self._steps.record(delivery, Answered(delivery.attempt, outcome))

    async def _prepare(self, post: Post, so_far: Prepared) -> Preparation:
        ready = await attempt(self._around.before_commit(post))
        if isinstance(ready, Failure):
            return NotSent("not_ready", ready.reason)
        prepared = await attempt(self._bounded(self.channel.prepare(post, so_far)))
        if isinstance(prepared, Failure):
            return NotSent("preparation_failed", prepared.reason)
        return prepared

    async def _commit(self, post: Post, prepared: Prepared, until: datetime) -> Outcome:
        if not may_commit(until, self._around.clock(), self._around.deadline):
            return NotSent(
                "too_late", "The store took so long that the lease had nearly ended; nothing left."
            )
        outcome = await attempt(self._bounded(self.channel.commit(post, prepared)))
        return Unknown("call_failed", outcome.reason) if isinstance(outcome, Failure) else outcome

    async def _sweep(self, delivery: Delivery) -> bool:
        if delivery.held(self._around.clock()):
            return False
        return not isinstance(await self._steps.take(delivery, lambda _: [LeaseLost()]), Refused)

    async def _look(self, delivery: Delivery) -> bool:
        claimed = await self._steps.claim(delivery)
        if claimed is None:
            return False
        held = of(claimed, delivery.id)
        if not self.channel.capabilities.lookup:
            await self._steps.record(held, CannotLook(held.fence))
            return True
        post = self._around.post(claimed, held)
        found = await attempt(self._bounded(self.channel.reconcile(post, held.prepared)))
        answer = Unknown("look_failed", found.reason) if isinstance(found, Failure) else found
        await self._steps.record(held, Looked(held.fence, answer))
        return True

    async def _remove(self, delivery: Delivery) -> bool:
        claimed = await self._steps.claim(delivery)
        if claimed is None:
            return False
        held = of(claimed, delivery.id)
        outcome = await self._removal(self._around.post(claimed, held), held)
        await self._trouble(outcome)
        await self._steps.record(held, RemovalAnswered(held.fence, outcome))
        return True

    async def _removal(self, post: Post, held: Delivery) -> Removed | Residue | NotSent | Unknown:
        if not self.channel.capabilities.remove:
            return Residue("This channel has no way to remove; somebody has to do it there.")
        outcome = await attempt(self._bounded(self.channel.remove(post, held.remote_id or held.id)))
        return Unknown("removal_failed", outcome.reason) if isinstance(outcome, Failure) else outcome

    async def _visit(self, delivery: Delivery, known: Publication) -> bool:
        can = self.channel.capabilities
        post, remote_id = self._around.post(known, delivery), delivery.remote_id or delivery.id
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
        done = await self._steps.take(delivery, lambda _: [Checked(found)], samples)
        return not isinstance(done, Refused)

    # the channel

    async def _turn(self) -> bool:
        """Whether a call may leave now, or very soon; then it has waited."""
        rate = self.channel.capabilities.rate_per_second
        async with self._turns:
            while (waiting := await self._around.accounts.take(self.channel.id, rate)) is not None:
                seconds = (waiting.until - self._around.clock()).total_seconds()
                if seconds > SHORT_WAIT:
                    return False
                await asyncio.sleep(max(seconds, 0.01))
        return True

    async def _trouble(self, outcome: object) -> None:
        """Pause the channel when the channel asked for it, or refused the account."""
        accounts, channel = self._around.accounts, self.channel.id
        match outcome:
            case NotSent(_, detail, float() | int() as seconds):
                await until_stored(lambda: accounts.pause(channel, seconds, detail))
            case Rejected(_, detail, "channel"):
                await until_stored(lambda: accounts.pause(channel, self._around.pace.channel_trouble, detail))
            case Posted():
                await until_stored(lambda: accounts.went_well(channel))

    async def _bounded(self, call: Awaitable[T]) -> T:
        async with asyncio.timeout(self._around.deadline):
            return await call

    def _span(self, what: str, delivery: Delivery) -> AbstractContextManager[trace.Span]:
        tracer = trace.get_tracer("konullu")
        return tracer.start_as_current_span(f"{what} {self.channel.kind}", context=context_of(delivery.trace))
