"""The stores of moderation together, with time in the test's hands."""

from collections.abc import Sequence
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
from shared.storage.document import Document
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
    published: list[Document] = field(default_factory=list)
    """What was published without an outbox, as its entries; once for each event, as the broker keeps it."""

    @classmethod
    async def on(cls, database: Database, policy: Policy = POLICY) -> "Stage":
        nudged: list[str] = []
        published: list[Document] = []
        clock = MovedClock(database)

        def nudge(_collection: Collection, case_id: str) -> None:
            nudged.append(case_id)

        async def publish(entries: Sequence[Document]) -> None:
            known = {each["event_id"] for each in published}
            published.extend(each for each in entries if each["event_id"] not in known)

        books = Books(LaneBook(database["lanes"]), LaneBook(database["country_lanes"]))
        cases = Cases(database["cases"], books, nudge, publish)
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
            published,
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
        """What was published when a case was opened, and the events in its outbox, in their order."""
        found = await self.cases.collection.find_one({"_id": case_id})
        assert found is not None
        entries = [*self.published, *found["outbox"]]
        events: list[Event] = [BY_SUBJECT[each["subject"]].parse(each["body"].encode()) for each in entries]
        return [event for event in events if event.subject_id == case_id]


def reader(person_id: str = "one", *, editor: bool = False, **scopes: frozenset[str]) -> ReviewerScope:
    return ReviewerScope(person_id, editor, **scopes)
