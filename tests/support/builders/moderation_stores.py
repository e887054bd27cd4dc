"""The stores of moderation together, with time in the test's hands."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.moderation.audit.checkpoints import Checkpoints
from services.moderation.cases.queue_positions import Books, LaneBook
from services.moderation.cases.rules import Decision
from services.moderation.cases.store import Arrival, Cases
from services.moderation.decisions.service import Decided, Decisions, fingerprint_of
from services.moderation.queue.claims import Claims
from services.moderation.queue.reader import Queue, ReviewerScope
from services.moderation.screening.rules import Policy, assess
from shared.events import BY_SUBJECT, Event, SubmissionReceived
from shared.storage.clock import DatabaseClock
from shared.storage.mongo import Collection, Database
from tests.support.builders.submissions import POLICY

KEY = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


class MovedClock(DatabaseClock):
    """The database's time, and then as much as the test adds."""

    ahead = timedelta(0)

    async def now(self) -> datetime:
        return await super().now() + self.ahead

    def advance(self, by: timedelta) -> None:
        self.ahead += by


@dataclass
class Stage:
    """Everything that the desk stands on."""

    database: Database
    clock: MovedClock
    cases: Cases
    queue: Queue
    claims: Claims
    decisions: Decisions
    checkpoints: Checkpoints
    nudged: list[str] = field(default_factory=list)

    @classmethod
    async def on(cls, database: Database, policy: Policy = POLICY) -> "Stage":
        nudged: list[str] = []
        clock = MovedClock(database)

        def nudge(_collection: Collection, case_id: str) -> None:
            nudged.append(case_id)

        books = Books(LaneBook(database["lanes"]), LaneBook(database["country_lanes"]))
        cases = Cases(database["cases"], books, nudge)
        await cases.prepare()
        queue = Queue(cases.collection, books)
        return cls(
            database,
            clock,
            cases,
            queue,
            Claims(cases, queue, clock),
            Decisions(cases, clock, policy, KEY),
            Checkpoints(database["seals"], cases.collection, clock, KEY),
            nudged,
        )

    async def open(self, *events: SubmissionReceived) -> None:
        for event in events:
            await self.cases.open(event, assess(event, POLICY), now=await self.clock.now())

    async def open_all(self, *events: SubmissionReceived) -> None:
        arrivals = [Arrival(event, assess(event, POLICY)) for event in events]
        await self.cases.open_all(arrivals, now=await self.clock.now())

    async def decide(self, token: str, decision: Decision, reader: ReviewerScope) -> Decided:
        print_ = fingerprint_of({"verdict": decision.verdict, "reasons": list(decision.reasons)})
        return await self.decisions.decide(token, decision, reader, fingerprint=print_)

    async def told(self, case_id: str) -> list[Event]:
        """The events in a case's outbox, in their order."""
        found = await self.cases.collection.find_one({"_id": case_id})
        assert found is not None
        return [BY_SUBJECT[each["subject"]].parse(each["body"].encode()) for each in found["outbox"]]


def reader(person_id: str = "one", *, editor: bool = False, **scopes: frozenset[str]) -> ReviewerScope:
    return ReviewerScope(person_id, editor, **scopes)
