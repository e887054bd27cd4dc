"""Claims: a case in one person's hands, for as long as the lease lasts.

A claim is one compare-and-set on the case's fence and on the lease that was seen, so two people never hold one case.
Times are the database's. The token cannot be guessed, names its case, and is worth nothing once the lease is lost.
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4
from weakref import WeakValueDictionary

from services.moderation.cases.model import Case, CaseLease, case_of
from services.moderation.cases.rules import OPEN
from services.moderation.cases.store import Cases
from services.moderation.queue.read_cache import Glances
from services.moderation.queue.reader import Queue, QueueEntry, ReviewerScope
from shared.bus.outbox import appended, entry, merge
from shared.events import CASE_CHANGED
from shared.storage.clock import DatabaseClock
from shared.storage.document import Document

LEASE: Final = timedelta(minutes=5)
AT_ONCE: Final = 30
MOMENT_SECONDS: Final = 0.1
"""How long what one moderator's claim saw of the queue serves the others' in this process."""


class ClaimLost(Exception):
    """The lease ran out, was released, or never was."""


class Held(Exception):
    """Somebody else holds the case."""

    def __init__(self, lease: CaseLease) -> None:
        super().__init__("held")
        self.lease = lease


class NotClaimable(Exception):
    """The case waits for nobody, or not for this person. The text says why."""


class TooMany(Exception):
    """This person holds as many cases as one may. The text is their number."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A case, and the lease on it."""

    case: Case
    lease: CaseLease


def case_id_of(token: str) -> str:
    """The case that a token names."""
    return token.rpartition(".")[0]


class Claims:
    """Who holds what."""

    def __init__(
        self,
        cases: Cases,
        queue: Queue,
        clock: DatabaseClock,
        lease: timedelta = LEASE,
        at_once: int = AT_ONCE,
    ) -> None:
        self._cases, self._queue, self._clock, self._lease = cases, queue, clock, lease
        self._at_once = at_once
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._glances = Glances(MOMENT_SECONDS)

    async def next(self, reader: ReviewerScope) -> Claim | None:
        """Put the case that has waited longest into the reader's hands; nothing when none fits. Raises `TooMany`."""
        async with self._turn(reader.person_id):
            for glance in (self._glances, Glances(0)):
                if (claim := await self._search(reader, glance)) is not None:
                    return claim
                if not glance.remembered:
                    break
            return None

    @asynccontextmanager
    async def _turn(self, person_id: str) -> AsyncIterator[None]:
        """One claim of a person after another, so that many at once do not pass the limit together."""
        lock = self._turns.setdefault(person_id, asyncio.Lock())
        async with lock:
            now = await self._clock.now()
            found = await self._cases.collection.find(
                {"lease.person_id": person_id}, {"lease.until": 1, "state": 1}
            ).to_list(None)
            held = sum(each["lease"]["until"] > now and each["state"] in OPEN for each in found)
            if held >= self._at_once:
                raise TooMany(str(held))
            yield

    async def _search(self, reader: ReviewerScope, glance: Glances) -> Claim | None:
        """The same with what somebody else in this process saw a moment ago, or, the second time, afresh."""
        now = await self._clock.now()
        glance.remembered = False
        for lane in await self._queue.lanes(reader, glance):
            async for slots in self._queue.windows(lane, lane.head, now, glance):
                free = [
                    slot for slot in slots if slot.free(now) and slot.fits(reader) and slot.decidable(reader)
                ]
                if (claim := await self._first(free, reader, now, glance)) is not None:
                    return claim
        return None

    async def _first(
        self, free: Sequence[QueueEntry], reader: ReviewerScope, now: datetime, glance: Glances
    ) -> Claim | None:
        """The first that can be had: the oldest, or, when other processes are quicker, any."""
        rest = list(free)
        while rest:
            slot = rest.pop(0)
            if glance.tried(slot.id):
                continue
            case = await self._cases.get(slot.id)
            if case is not None and case.revision and why_not(case, reader, now) is None:
                if (claim := await self._take(case, reader.person_id, now)) is not None:
                    return claim
                random.shuffle(rest)
        return None

    async def one(self, case_id: str, reader: ReviewerScope) -> Claim:
        """Put this case into the reader's hands. Raises `KeyError`, `Held`, `NotClaimable`, `TooMany`."""
        now = await self._clock.now()
        case = await self._cases.get(case_id)
        if case is None or not reader.sees(case.country, case.standing.content.language, case.section):
            raise KeyError(case_id)
        lease = case.held_by(now)
        if lease is not None and lease.person_id == reader.person_id and case.standing.state in OPEN:
            return Claim(case, lease)
        why = why_not(case, reader, now)
        if lease is not None and why == "held":
            raise Held(lease)
        if why is not None:
            raise NotClaimable(why)
        async with self._turn(reader.person_id):
            claim = await self._take(case, reader.person_id, now)
        if claim is None:
            raise NotClaimable("busy")
        return claim

    async def _take(self, case: Case, person_id: str, now: datetime) -> Claim | None:
        """The claim, unless somebody has touched the case since it was read."""
        lease = CaseLease(f"{case.id}.{secrets.token_urlsafe(24)}", person_id, now, now + self._lease)
        seen = {"lease": None} if case.lease is None else {"lease.until": case.lease.until}
        taken = replace(case, lease=lease, fence=case.fence + 1)
        update: Document = {"$set": {"lease": asdict(lease), "fence": taken.fence}}
        if case.standing.state == "screened":
            taken = taken.with_state("in_review", case.version + 1)
            told = taken.changed(event_id=uuid4(), at=now)
            update = merge(
                update,
                {"$set": {"state": "in_review", "version": taken.version}},
                appended(entry(CASE_CHANGED, told)),
            )
        if not await self._cases.change(case, update, fence=case.fence, **seen):
            return None
        return Claim(taken, lease)

    async def renew(self, token: str, person_id: str) -> datetime:
        """Hold on for another lease; until when. Raises `ClaimLost`."""
        now = await self._clock.now()
        until = now + self._lease
        done = await self._cases.collection.update_one(
            {
                "_id": case_id_of(token),
                "lease.token": token,
                "lease.person_id": person_id,
                "lease.until": {"$gt": now},
            },
            {"$set": {"lease.until": until}},
        )
        if not done.matched_count:
            raise ClaimLost
        return until

    async def release(self, token: str, person_id: str) -> None:
        """Give it back to the queue, in its old place. Giving back what is not held changes nothing."""
        await self._cases.collection.update_one(
            {"_id": case_id_of(token), "lease.token": token, "lease.person_id": person_id},
            {"$set": {"lease": None}},
        )
        self._glances.forget(case_id_of(token))

    async def mine(self, person_id: str) -> list[Claim]:
        """What this person holds, the lease that ends first leading."""
        now = await self._clock.now()
        found = await self._cases.collection.find({"lease.person_id": person_id}).to_list(None)
        claims = [
            Claim(case, case.lease)
            for case in map(case_of, found)
            if case.lease is not None and case.lease.until > now and case.standing.state in OPEN
        ]
        return sorted(claims, key=lambda claim: claim.lease.until)


def why_not(case: Case, reader: ReviewerScope, now: datetime) -> str | None:
    """Why the reader cannot have this case; `None` when nothing speaks against it."""
    standing = case.standing
    if standing.state not in OPEN:
        return standing.state
    if standing.author_id == reader.person_id:
        return "own"
    if case.stage == "escalated" and not reader.editor:
        return "escalated"
    if reader.person_id in {each.person_id for each in standing.approvals}:
        return "approved"
    return "held" if case.held_by(now) is not None else None
