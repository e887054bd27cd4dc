"""A publisher without a bus: the real store and workers, a clock that is set by hand, a channel that can lie."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.publisher.channels.port import (
    Absent,
    Capabilities,
    ChannelHealth,
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
from services.publisher.deliveries.model import Delivery, Refused
from services.publisher.deliveries.planning import decide, mark_tombstone
from services.publisher.deliveries.publication import Outlet, Publication, TombstoneRecord
from services.publisher.deliveries.retry_policy import LANES
from services.publisher.deliveries.store import Deliveries
from services.publisher.dispatch.post_builder import Addresses
from services.publisher.dispatch.rate_limit_store import Accounts
from services.publisher.dispatch.worker import Surroundings, Worker
from shared.events import BY_SUBJECT, Event
from shared.storage.mongo import Database
from tests.support.builders.publications import NOON, approval_of

LOOKUP = Capabilities(
    lookup=True, idempotent=False, read_back=True, remove=True, sample=True, absent_after=30.0
)
BLIND = Capabilities(lookup=False, idempotent=False, read_back=False, remove=True, sample=False)


@dataclass
class Channel:
    """Shows posts on a wall that a test can look at. `commits` says what each next commit does and answers."""

    id: str = "wall"
    kind: str = "telegram"
    capabilities: Capabilities = LOOKUP
    wall: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    commits: list[Outcome] = field(default_factory=list)
    replaces_in_place: bool = False
    shows: bool = True
    """Whether a commit whose outcome is prescribed shows the post all the same."""
    preparation: Prepared | Rejected | NotSent = field(default_factory=dict)
    parts: int = 0
    """Steps of the preparation before the last one. Each leaves how far it came."""
    pause: float = 0.0
    """Seconds that it asks for after each."""
    gone_on_from: list[int] = field(default_factory=list)
    """How far it had come before each step."""
    removal: Removed | Residue | NotSent | Unknown | None = None
    samples: list[Sample] = field(default_factory=list)

    async def prepare(self, post: Post, so_far: Prepared) -> Preparation:
        self.calls.append("prepare")
        done = int(so_far.get("parts", 0))
        if done < self.parts:
            self.gone_on_from.append(done)
            return Underway({"parts": str(done + 1)}, self.pause)
        return self.preparation

    async def commit(self, post: Post, prepared: Prepared) -> Outcome:
        self.calls.append("commit")
        outcome = (
            self.commits.pop(0) if self.commits else Posted(post.delivery_id, f"https://wall/{post.revision}")
        )
        if isinstance(outcome, Posted | Unknown) and self.shows:
            self.wall.append(post.delivery_id)
        return outcome

    async def reconcile(self, post: Post, prepared: Prepared) -> Posted | Absent | Unknown:
        self.calls.append("reconcile")
        return Posted(post.delivery_id) if post.delivery_id in self.wall else Absent()

    async def read_back(self, post: Post, remote_id: str) -> Posted | Absent | Unknown:
        self.calls.append("read_back")
        return Posted(remote_id) if post.delivery_id in self.wall else Absent()

    async def remove(self, post: Post, remote_id: str) -> Removed | Residue | NotSent | Unknown:
        self.calls.append("remove")
        if self.removal is not None:
            return self.removal
        self.wall = [each for each in self.wall if each != post.delivery_id]
        return Removed("asked, and gone")

    async def sample(self, post: Post, remote_id: str) -> Sequence[Sample]:
        return self.samples

    async def health(self) -> ChannelHealth:
        return ChannelHealth(ok=True)


async def no_link(_: Post) -> None:
    """Short links need nothing here."""


class Newsroom:
    """One channel's worker on the real store."""

    def __init__(self, database: Database, channel: Channel, *, holder: str = "here") -> None:
        self.now = NOON
        self.database, self.channel = database, channel
        self.collection = database["publications"]
        outlets = (Outlet(channel.id, channel.kind, replaces_in_place=channel.replaces_in_place),)
        addresses = Addresses("https://c.example", website=True)
        self.deliveries = Deliveries(self.collection, outlets, addresses.target, clock=self.clock)
        self.accounts = Accounts(database["accounts"], clock=self.clock)
        around = Surroundings(
            self.deliveries, self.accounts, holder, self.clock, addresses.post, no_link, deadline=5.0
        )
        self.around = around
        self.worker = Worker(channel, around)

    def clock(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def approve(self, *, version: int = 1, revision: int = 1) -> None:
        decision = approval_of(version=version, revision=revision)
        done = await self.deliveries.change(
            "s",
            lambda known: decide(known, decision, self.deliveries.outlets, self.now),
            cause=decision.event_id,
        )
        assert not isinstance(done, Refused)

    async def recall(self) -> None:
        tombstone = TombstoneRecord("recalled", self.now)
        await self.deliveries.change(
            "s", lambda known: mark_tombstone(known, tombstone, self.deliveries.outlets, self.now)
        )

    async def work(self, rounds: int = 20) -> None:
        """Do everything that is due now."""
        for _ in range(rounds):
            if not any([await self.worker.lanes[lane].drain() for lane in LANES]):
                return

    async def publication(self) -> Publication:
        return await self.deliveries.read("s")

    async def only(self) -> Delivery:
        (delivery,) = (await self.publication()).deliveries
        return delivery

    async def states(self) -> dict[int, str]:
        return {each.revision: each.state for each in (await self.publication()).deliveries}

    async def told(self) -> list[Event]:
        """The events in the outbox, in their order."""
        document = await self.collection.find_one({"_id": "s"})
        assert document is not None
        return [BY_SUBJECT[each["subject"]].parse(each["body"].encode()) for each in document["outbox"]]

    def beside(self, holder: str) -> "Newsroom":
        """Another process on the same store and channel."""
        other = Newsroom(self.database, self.channel, holder=holder)
        other.now = self.now
        return other


def impatient(newsroom: Newsroom, **pace: object) -> Newsroom:
    """The newsroom with another pace."""
    around = replace(newsroom.around, pace=replace(newsroom.around.pace, **pace))  # type: ignore[arg-type]
    newsroom.worker = Worker(newsroom.channel, around)
    return newsroom
