"""Claims: a case in one person's hands, for as long as the lease lasts.

A claim is one compare-and-set on the case's fence and on the lease that was seen, so two people never hold one case.
Times are the database's. The token cannot be guessed, names its case, and is worth nothing once the lease is lost.
"""

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from services.moderation.case import Case, Lease, case_of
from services.moderation.cases import Cases
from services.moderation.clock import DatabaseClock
from services.moderation.policy import OPEN
from services.moderation.queue import SHOWN, Queue, Reader, Slot, slot_of
from shared.events import CASE_CHANGED
from shared.mongo import Document
from shared.outbox import appended, entry, merge

LEASE: Final = timedelta(minutes=5)


class LeaseLost(Exception):
    """The lease ran out, was released, or never was."""


class Held(Exception):
    """Somebody else holds the case."""

    def __init__(self, lease: Lease) -> None:
        super().__init__("held")
        self.lease = lease


class NotClaimable(Exception):
    """The case waits for nobody, or not for this person. The text says why."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A case, and the lease on it."""

    case: Case
    lease: Lease


def case_id_of(token: str) -> str:
    """The case that a token names."""
    return token.rpartition(".")[0]


class Claims:
    """Who holds what."""

    def __init__(self, cases: Cases, queue: Queue, clock: DatabaseClock, lease: timedelta = LEASE) -> None:
        self._cases, self._queue, self._clock, self._lease = cases, queue, clock, lease

    async def next(self, reader: Reader) -> Claim | None:
        """Put the case that has waited longest into the reader's hands; nothing when none fits."""
        now = await self._clock.now()
        for lane in await self._queue.lanes(reader):
            async for slots in self._queue.windows(lane, lane.head, now):
                free = [slot for slot in slots if _for(slot, reader, now)]
                if (claim := await self._first(free, reader, now)) is not None:
                    return claim
        return None

    async def _first(self, free: Sequence[Slot], reader: Reader, now: datetime) -> Claim | None:
        """The first that can be had: the oldest, or, when others are quicker, any."""
        if not free:
            return None
        rest = list(free[1:])
        random.shuffle(rest)
        for slot in [free[0], *rest]:
            if (claim := await self._take(slot, reader.person_id, now)) is not None:
                return claim
        return None

    async def one(self, case_id: str, reader: Reader) -> Claim:
        """Put this case into the reader's hands. Raises `KeyError`, `Held`, `NotClaimable`."""
        now = await self._clock.now()
        found = await self._cases.collection.find_one({"_id": case_id, "revision": {"$gte": 1}}, SHOWN)
        if found is None or not (slot := slot_of(found, 0)).fits(reader):
            raise KeyError(case_id)
        if not slot.free(now):
            lease = Lease(**found["lease"])
            if lease.person_id != reader.person_id:
                raise Held(lease)
            case = await self._cases.get(case_id)
            if case is not None and case.lease == lease:
                return Claim(case, lease)
        if not slot.open:
            raise NotClaimable(slot.state)
        if slot.stage == "escalated" and not reader.editor:
            raise NotClaimable("escalated")
        if slot.author_id == reader.person_id:
            raise NotClaimable("own")
        if not slot.person_free(reader.person_id):
            raise NotClaimable("approved")
        claim = await self._take(slot, reader.person_id, now)
        if claim is None:
            raise NotClaimable("busy")
        return claim

    async def _take(self, slot: Slot, person_id: str, now: datetime) -> Claim | None:
        lease = Lease(f"{slot.id}.{secrets.token_urlsafe(24)}", person_id, now, now + self._lease)
        seen = {"lease": None} if slot.lease is None else {"lease.until": slot.lease["until"]}
        update: Document = {
            "$set": {"lease": _document(lease)},
            "$inc": {"fence": 1},
        }
        if slot.state == "screened":
            update = merge(update, await self._begun(slot, now))
        done = await self._cases.collection.update_one(
            {"_id": slot.id, "fence": slot.fence, "version": slot.version, **seen}, update
        )
        if not done.matched_count:
            return None
        if slot.state == "screened":
            self._cases.nudge(slot.id)
        found = await self._cases.document(slot.id)
        # Withdrawn in this very moment, or the lease is lost already: then it is not ours.
        if found is None or not found["lease"] or found["lease"]["token"] != lease.token:
            return None
        case = case_of(found)
        return None if case.lease is None else Claim(case, case.lease)

    async def _begun(self, slot: Slot, now: datetime) -> Document:
        """What changes when somebody takes a case up for the first time."""
        case = await self._cases.get(slot.id)
        if case is None:
            return {}
        begun = case.with_state("in_review", slot.version + 1)
        told = begun.changed(event_id=uuid4(), at=now)
        return merge(
            {"$set": {"state": "in_review", "version": slot.version + 1}},
            appended(entry(CASE_CHANGED, told)),
        )

    async def renew(self, token: str, person_id: str) -> datetime:
        """Hold on for another lease; until when. Raises `LeaseLost`."""
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
            raise LeaseLost
        return until

    async def release(self, token: str, person_id: str) -> None:
        """Give it back to the queue, in its old place. Giving back what is not held changes nothing."""
        await self._cases.collection.update_one(
            {"_id": case_id_of(token), "lease.token": token, "lease.person_id": person_id},
            {"$set": {"lease": None}},
        )

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


def _for(slot: Slot, reader: Reader, now: datetime) -> bool:
    return slot.free(now) and slot.fits(reader) and slot.decidable(reader)


def _document(lease: Lease) -> Document:
    return {
        "token": lease.token,
        "person_id": lease.person_id,
        "since": lease.since,
        "until": lease.until,
    }
