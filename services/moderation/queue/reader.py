"""Looking at the queue: windows of places, who may see what, and how many wait.

Every query is a range of places on an index and nothing else; all other conditions are weighed here, because a
condition that the index does not hold makes the server read the whole lane.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from services.moderation.cases.queue_positions import STAGES, Books, QueueLane, Stage, lane_id
from services.moderation.cases.rules import OPEN
from services.moderation.queue.read_cache import Glances
from services.moderation.screening.rules import Policy
from shared.storage.document import Document
from shared.storage.mongo import Collection
from shared.text.language_ranges import in_ranges

WINDOW: Final = 64
MOST_WINDOWS: Final = 64
"""Windows that one request for a page looks into, however few cases fit."""
NEAR: Final = 16
"""A head this close behind the first open case is near enough."""
COUNTED: Final = 512
"""How many places of a lane are counted; beyond that the queue says "more than"."""
MANY_LANES: Final = 400
"""With more lanes than this to look into, the lanes by language are looked into and countries weighed here."""
SHOWN: Final = {
    "state": 1, "place": 1, "country_place": 1, "lease": 1, "version": 1, "author_id": 1,
    "country": 1, "section": 1, "content.language": 1, "content.title": 1, "media_ids": 1, "stage": 1,
    "approvals": 1, "risk": 1, "classes": 1, "received_at": 1, "revision": 1, "escalated": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewerScope:
    """Somebody who works on the queue, and what of it they want now. An empty set means all."""

    person_id: str
    editor: bool = False
    countries: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    sections: frozenset[str] = frozenset()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Where they may look."""
        return STAGES if self.editor else ("first", "second")

    def reads(self, language: str) -> bool:
        """Whether the language lies in one of the ranges that they may see and want."""
        return not self.languages or in_ranges(language, self.languages)

    def sees(self, country: str, language: str, section: str | None) -> bool:
        """Whether this lies within what they may see and want."""
        return (
            (not self.countries or country in self.countries)
            and self.reads(language)
            and (not self.sections or section in self.sections)
        )


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A case as the queue sees it."""

    id: str
    place: int
    open: bool
    state: str
    stage: str
    version: int
    author_id: str
    title: str
    language: str
    country: str
    section: str | None
    risk: str
    classes: tuple[str, ...]
    media: int
    approvers: tuple[str, ...]
    received_at: datetime
    revision: int
    lease: Document | None

    def free(self, now: datetime) -> bool:
        """Whether nobody holds it, as far as this look tells."""
        return self.lease is None or self.lease["until"] <= now

    def fits(self, reader: ReviewerScope) -> bool:
        """Whether it lies within what the reader may see and wants."""
        return reader.sees(self.country, self.language, self.section)

    def reviewers(self, policy: Policy) -> int:
        """How many must approve it, as far as the queue knows: one who has approved waits for a second."""
        return max(policy.reviewers(self.classes), 2 if self.approvers else 1)

    def decidable(self, reader: ReviewerScope) -> bool:
        """Whether the reader may be the one to decide: not the author, and not twice."""
        return self.author_id != reader.person_id and self.person_free(reader.person_id)

    def person_free(self, person_id: str) -> bool:
        """Whether this person has not approved it yet."""
        return person_id not in self.approvers


def slot_of(document: Document, place: int) -> QueueEntry:
    """The slot in a projected document."""
    return QueueEntry(
        id=document["_id"],
        place=place,
        open=document["state"] in OPEN,
        state=document["state"],
        stage=document["stage"],
        version=document["version"],
        author_id=document["author_id"],
        title=document["content"]["title"],
        language=document["content"]["language"],
        country=document["country"],
        section=document["section"],
        risk=document["risk"],
        classes=tuple(document["classes"]),
        media=len(document["media_ids"]),
        approvers=tuple(each["person_id"] for each in document["approvals"]),
        received_at=document["received_at"],
        revision=document["revision"],
        lease=document["lease"],
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait in a language."""

    language: str
    count: int
    more: bool
    """There are more than were counted."""
    oldest_at: datetime | None


class Queue:
    """Reads the queue."""

    def __init__(self, cases: Collection, books: Books) -> None:
        self._cases, self._books = cases, books

    async def lanes(self, reader: ReviewerScope, glance: Glances | None = None) -> list[QueueLane]:
        """The lanes to look into, the one that has waited longest first."""
        glance = glance or Glances(0)
        stages = frozenset(reader.stages)
        by_language = [
            lane
            for lane in await glance.see("lanes", self._books.languages.all)
            if lane.stage in stages and reader.reads(lane.language)
        ]
        found = by_language
        names = [
            lane_id(lane.stage, lane.language, country)
            for lane in by_language
            for country in reader.countries
        ]
        if 0 < len(names) <= MANY_LANES:
            found = await self._books.countries.named(names)
        return sorted((lane for lane in found if lane.tail > lane.head), key=lambda lane: lane.oldest_at)

    async def window(self, lane: QueueLane, start: int, size: int = WINDOW) -> list[QueueEntry]:
        """The slots from place `start` on, within `size` places, in their order."""
        name, place = ("lane", "place") if lane.country is None else ("country_lane", "country_place")
        found = await self._cases.find(
            {name: lane.id, place: {"$gte": start, "$lt": start + size}}, SHOWN
        ).to_list(None)
        return sorted((slot_of(each, each[place]) for each in found), key=lambda slot: slot.place)

    async def windows(
        self, lane: QueueLane, start: int, now: datetime, glance: Glances | None = None
    ) -> AsyncIterator[list[QueueEntry]]:
        """The lane's slots from `start` to its end, window by window; on the way its head is moved on."""
        glance = glance or Glances(0)
        book = self._books.languages if lane.country is None else self._books.countries
        await book.mark(lane, now)
        head: int | None = lane.head if start <= lane.head else None
        for begin in range(start, lane.tail, WINDOW):
            end = min(begin + WINDOW, lane.tail)
            slots = await glance.see(f"{lane.id} {begin}", partial(self.window, lane, begin))
            if head is not None:
                head = front(slots, head, end, lane.settled)
                if head < end or end == lane.tail:
                    if head - lane.head >= NEAR or head == lane.tail:
                        oldest = next((slot.received_at for slot in slots if slot.place >= head), now)
                        await book.move_head(lane, head, oldest)
                    head = None
            yield [slot for slot in slots if slot.open]

    async def waiting(self, reader: ReviewerScope) -> list[Waiting]:
        """How many wait in each language, counted up to a bound, the longest queue first."""
        counts: dict[str, Waiting] = {}
        for lane in await self.lanes(reader):
            slots = [
                slot
                for slot in await self.window(lane, lane.head, COUNTED)
                if slot.open and slot.fits(reader)
            ]
            known = counts.get(lane.language, Waiting(lane.language, 0, more=False, oldest_at=None))
            times = [slot.received_at for slot in slots] + ([known.oldest_at] if known.oldest_at else [])
            counts[lane.language] = Waiting(
                lane.language,
                known.count + len(slots),
                more=known.more or lane.tail - lane.head > COUNTED,
                oldest_at=min(times, default=None),
            )
        return sorted(
            (each for each in counts.values() if each.count or each.more), key=lambda each: -each.count
        )

    async def page(
        self,
        reader: ReviewerScope,
        *,
        keep: Callable[[QueueEntry], bool],
        cursor: tuple[str, int] | None,
        limit: int,
        now: datetime,
    ) -> tuple[list[QueueEntry], tuple[str, int] | None]:
        """Up to `limit` slots for which `keep(slot)` holds, lane after lane, and where to go on.

        A page may be short, or empty, before the last: no more than `MOST_WINDOWS` are looked into.
        """
        found: list[QueueEntry] = []
        windows = 0
        lanes = sorted(await self.lanes(reader), key=lambda lane: lane.id)
        for lane in lanes:
            if cursor is not None and lane.id < cursor[0]:
                continue
            start = lane.head
            if cursor is not None and lane.id == cursor[0]:
                start = max(lane.head, min(cursor[1], lane.tail))
            at = start
            async for slots in self.windows(lane, start, now):
                if windows == MOST_WINDOWS:
                    return found, (lane.id, at)
                windows, at = windows + 1, at + WINDOW
                for slot in slots:
                    if slot.place < start or not (slot.fits(reader) and keep(slot)):
                        continue
                    if len(found) == limit:
                        return found, (lane.id, slot.place)
                    found.append(slot)
        return found, None


def front(slots: Iterable[QueueEntry], head: int, end: int, settled: int) -> int:
    """The first place from `head` on, and before `end`, that is or may yet become an open case; else `end`."""
    taken = {slot.place: slot for slot in slots}
    for place in range(head, end):
        slot = taken.get(place)
        if slot.open if slot is not None else place >= settled:
            return place
    return end
