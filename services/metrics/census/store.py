"""Who takes part and what there is: members, submissions, what is visible now. Each counted once, by its own id.

Kept in a few documents, so that a total is a few small reads however many there are. The counted thing and the count
change in one write.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from zlib import crc32

from pymongo.errors import BulkWriteError

from services.metrics.counting.sums import key_of
from shared.events import (
    DeliveryChanged,
    DeliveryState,
    PersonRegistered,
    SubmissionReceived,
    SubmissionWithdrawn,
)
from shared.storage.mongo import Collection, Document, is_duplicate

SHARDS: Final = 64
VISIBLE: Final[frozenset[DeliveryState]] = frozenset({"posted", "removing", "residue"})
"""States in which people can see a delivery. What could not be removed whole is still seen."""
VIDEO: Final = "video/mp4"


class Standing(NamedTuple):
    """A count and the time of the latest event in it; no time when there was none."""

    value: int
    as_of: datetime | None


class Seen(NamedTuple):
    """What is known of one delivery."""

    version: int
    visible: bool
    video: bool


def seen_of(event: DeliveryChanged) -> Seen:
    """What an event says of its delivery. Pure."""
    return Seen(event.version, event.state in VISIBLE, VIDEO in event.media_types)


def visible(deliveries: Mapping[str, Seen]) -> tuple[int, int]:
    """Whether a submission counts as published, and whether as a published video: each 0 or 1. Pure."""
    shown = [one for one in deliveries.values() if one.visible]
    return int(bool(shown)), int(any(one.video for one in shown))


def shard_of(id_: str) -> int:
    """In which document an id is kept."""
    return crc32(id_.encode()) % SHARDS


class Roll:
    """The collections `people` and `submissions`."""

    def __init__(self, people: Collection, submissions: Collection) -> None:
        self._people, self._submissions = people, submissions

    async def prepare(self) -> None:
        """The documents, empty."""
        for collection in (self._people, self._submissions):
            if await collection.find_one({"_id": SHARDS - 1}) is None:
                try:
                    await collection.insert_many([{"_id": n, "rev": 0} for n in range(SHARDS)], ordered=False)
                except BulkWriteError as error:
                    if not is_duplicate(error):
                        raise

    async def joined(self, event: PersonRegistered) -> None:
        """Count a member, once."""
        path = f"people.{key_of(event.subject_id)}"
        await self._people.update_one(
            {"_id": shard_of(event.subject_id), path: {"$exists": False}},
            {
                "$set": {path: event.country},
                "$inc": {"members": 1, f"countries.{event.country}": 1},
                "$max": {"as_of": event.occurred_at},
            },
        )

    async def received(self, event: SubmissionReceived) -> None:
        """Count a submission, once for all its revisions."""
        path = f"items.{key_of(event.subject_id)}.received"
        await self._submissions.update_one(
            {"_id": shard_of(event.subject_id), path: {"$exists": False}},
            {
                "$set": {path: True},
                "$inc": {"received": 1, "rev": 1},
                "$max": {"received_at": event.occurred_at},
            },
        )

    async def withdrawn(self, event: SubmissionWithdrawn) -> None:
        """Count a withdrawal, once. It takes nothing from the submissions that were accepted."""
        path = f"items.{key_of(event.subject_id)}.withdrawn"
        await self._submissions.update_one(
            {"_id": shard_of(event.subject_id), path: {"$exists": False}},
            {
                "$set": {path: True},
                "$inc": {"withdrawn": 1, "rev": 1},
                "$max": {"withdrawn_at": event.occurred_at},
            },
        )

    async def delivered(self, event: DeliveryChanged) -> None:
        """Take in the newest state of a delivery; an older one changes nothing."""
        shard, item = shard_of(event.submission_id), f"items.{key_of(event.submission_id)}"
        code = key_of(event.code)
        while True:
            document = await self._submissions.find_one({"_id": shard}, {"rev": 1, f"{item}.deliveries": 1})
            if document is None:
                await self.prepare()
                continue
            stored = document.get("items", {}).get(key_of(event.submission_id), {}).get("deliveries", {})
            before = {key: Seen(*one) for key, one in stored.items()}
            now = seen_of(event)
            if code in before and before[code].version >= now.version:
                return
            (was_shown, was_video), (shown, video) = visible(before), visible({**before, code: now})
            changed = await self._submissions.update_one(
                {"_id": shard, "rev": document["rev"]},
                {
                    "$set": {f"{item}.deliveries.{code}": list(now)},
                    "$inc": {"rev": 1, "published": shown - was_shown, "videos": video - was_video},
                    "$max": {"delivered_at": event.occurred_at},
                },
            )
            if changed.matched_count:
                return

    async def members(self) -> tuple[Standing, Standing]:
        """How many members, from how many countries."""
        fields = {"members": 1, "countries": 1, "as_of": 1}
        documents = await self._people.find({}, fields).to_list(None)
        countries = {country for document in documents for country in document.get("countries", {})}
        as_of = _latest(documents, "as_of")
        return Standing(_sum(documents, "members"), as_of), Standing(len(countries), as_of)

    async def submissions(self) -> dict[str, Standing]:
        """How many were received, and are visible now, and are visible videos."""
        fields = {"received": 1, "published": 1, "videos": 1, "received_at": 1, "delivered_at": 1}
        documents = await self._submissions.find({}, fields).to_list(None)
        received_at, delivered_at = _latest(documents, "received_at"), _latest(documents, "delivered_at")
        shown_at = delivered_at or received_at
        return {
            "submissions": Standing(_sum(documents, "received"), received_at),
            "published": Standing(_sum(documents, "published"), shown_at),
            "videos": Standing(_sum(documents, "videos"), shown_at),
            "deliveries": Standing(0, delivered_at),
        }


def _sum(documents: list[Document], field: str) -> int:
    return sum(int(document.get(field, 0)) for document in documents)


def _latest(documents: list[Document], field: str) -> datetime | None:
    times: list[Any] = [document[field] for document in documents if document.get(field)]
    return max(times, default=None)
