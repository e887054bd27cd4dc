"""Submissions as their authors sent them: stored once per idempotency key, revised, withdrawn.

The id is derived from author and key, so that the uniqueness of `_id` is the guard against a second one. Every
change is one write. What tells of it is in the same document: the event of a first revision follows from it
(`shared.bus.outbox_log`), those of later changes lie in its outbox.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final, Literal
from uuid import UUID, uuid5

from pydantic import TypeAdapter

from services.ingest import telemetry
from services.ingest.people import codes
from services.ingest.validation.rules import Draft
from shared.bus import outbox
from shared.bus.outbox_log import Fate, OutboxLog
from shared.bus.told_again import tell_again
from shared.concurrency.batcher import Batcher
from shared.events import (
    SUBMISSION_RECEIVED,
    SUBMISSION_WITHDRAWN,
    Attribution,
    Media,
    SubmissionReceived,
    SubmissionWithdrawn,
)
from shared.observability.telemetry import current_traceparent
from shared.retention.model import AS, End, end_in, marked, unmarked
from shared.storage.document import Document
from shared.storage.mongo import Collection, Database

EVENTS: Final = UUID("6f3c1c52-5f0e-4a5e-9d0b-0f2f3b7a1c58")
"""Namespace of the ids of events about submissions."""

_DRAFT: Final = TypeAdapter(Draft)
DRAFT: Final = tuple(field.name for field in fields(Draft))
DRAFTED: Final = tuple(name for name in DRAFT if name in SubmissionReceived.model_fields)
"""What an author writes: all of it, and what the event tells as it was written."""

MOST_AT_ONCE: Final = 500
"""Documents of one insert."""

Outcome = Literal["stored", "repeated", "reused", "outdated"]
"""`reused`: the key came with another body; `outdated`: not the next revision, or withdrawn."""


@dataclass(frozen=True, slots=True)
class Manuscript:
    """What an author sends under one idempotency key, checked, with its media safe."""

    key: str
    fingerprint: str
    """SHA-256 of the request's content."""
    draft: Draft
    media: tuple[Media, ...]

    @property
    def blank(self) -> "Manuscript":
        """Without what the author wrote and sent. Language, country, consent, key and digest stay."""
        draft = replace(
            self.draft,
            title="",
            body="",
            hashtags=(),
            attachments=(),
            attribution=Attribution(mode=self.draft.attribution.mode),
        )
        return replace(self, draft=draft, media=())


@dataclass(frozen=True, slots=True)
class Revision:
    """A manuscript that was accepted."""

    number: int
    accepted_at: datetime
    manuscript: Manuscript


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission as it stands."""

    submission_id: str
    author_id: str
    revisions: tuple[Revision, ...]
    """All, the first first; never empty."""
    withdrawn: bool
    end: End | None = None
    """Why its texts and files are to go, where that is marked here."""
    erased_at: datetime | None = None
    """When its texts and files were taken away; what it consisted of is blank since."""

    @property
    def receipt(self) -> str:
        """The short code by which people speak of it."""
        return codes.receipt(self.submission_id)

    @property
    def latest(self) -> Revision:
        """The revision that counts."""
        return self.revisions[-1]

    @property
    def accepted_at(self) -> datetime:
        """When the first revision was accepted."""
        return self.revisions[0].accepted_at

    def outcome_of(self, key: str, fingerprint: str) -> Outcome | None:
        """What a request under this key is, if the key has been used."""
        for revision in self.revisions:
            if revision.manuscript.key == key:
                return "repeated" if revision.manuscript.fingerprint == fingerprint else "reused"
        return None


class Submissions:
    """The store."""

    def __init__(self, log: OutboxLog) -> None:
        """`log` as `received_log` makes it."""
        self.collection, self._log = log.collection, log
        self._inserts = Batcher(self._insert, most=MOST_AT_ONCE)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self.collection.create_index(
            [("author_id", 1), ("accepted_at", -1), ("_id", -1)], name="author"
        )

    async def find(self, submission_id: str) -> Submission | None:
        """A submission, if there is one."""
        found = await self.collection.find_one({"_id": submission_id})
        return None if found is None else _submission(found)

    async def of(self, author_id: str, before: tuple[datetime, str] | None, most: int) -> list[Submission]:
        """An author's submissions, newest first, from after `before` (time accepted and id of the last one seen)."""
        query: Document = {"author_id": author_id}
        if before is not None:
            at, last = before
            query["accepted_at"] = {"$lte": at}
            query["$or"] = [{"accepted_at": {"$lt": at}}, {"_id": {"$lt": last}}]
        cursor = self.collection.find(query).sort([("accepted_at", -1), ("_id", -1)]).limit(most)
        return [_submission(document) async for document in cursor]

    async def media_of(self, author_id: str, sha256: str) -> Media | None:
        """A photo or video of any of an author's submissions."""
        found = await self.collection.find_one({"author_id": author_id, "revisions.media.sha256": sha256})
        if found is None:
            return None
        media = [each for revision in _submission(found).revisions for each in revision.manuscript.media]
        return next(each for each in media if each.sha256 == sha256)

    async def accept(self, author_id: str, manuscript: Manuscript, now: datetime) -> Outcome:
        """Store a first revision, together with whatever else arrives at the same time."""
        submission_id = codes.submission_id(author_id, manuscript.key)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as exactly as it is stored
        document: Document = {
            "_id": submission_id,
            "author_id": author_id,
            "revision": 1,
            "revisions": [_revision_document(1, manuscript, now)],
            "accepted_at": now,
            "withdrawn": False,
            "traceparent": current_traceparent(),
        }
        if await self._inserts.call(document):
            return "stored"
        known = await self.find(submission_id)
        return (known and known.outcome_of(manuscript.key, manuscript.fingerprint)) or "reused"

    async def _insert(self, documents: list[Document]) -> list[Fate]:
        telemetry.batch_written(len(documents))
        return await self._log.insert(documents)

    async def revise(self, before: Submission, manuscript: Manuscript, now: datetime) -> Outcome:
        """Store the revision after `before`'s, if `before` is still how things stand."""
        revision = before.latest.number + 1
        event = _received(before.submission_id, before.author_id, revision, manuscript, now)
        change: Document = {
            "$set": {"revision": revision},
            "$unset": {**unmarked(), "erased_at": ""},
            "$push": {"revisions": _revision_document(revision, manuscript, now)},
        }
        done = await self.collection.update_one(
            {"_id": before.submission_id, "revision": before.latest.number, "withdrawn": False},
            outbox.merge(change, outbox.appended(outbox.entry(SUBMISSION_RECEIVED, event))),
        )
        if done.modified_count:
            return "stored"
        after = await self.find(before.submission_id)
        return (after and after.outcome_of(manuscript.key, manuscript.fingerprint)) or "outdated"

    async def withdraw(self, before: Submission, reason: str | None, now: datetime) -> bool:
        """Withdraw `before`, if it is still how things stand; true when this call did it."""
        event = _withdrawn(before.submission_id, before.latest.number, reason, now)
        end = End("withdrawn", now)
        change: Document = {
            "$set": {"withdrawn": True, "withdrawn_at": now, "withdrawal_reason": reason, **marked(end)}
        }
        done = await self.collection.update_one(
            {"_id": before.submission_id, "revision": before.latest.number, "withdrawn": False},
            outbox.merge(change, outbox.appended(outbox.entry(SUBMISSION_WITHDRAWN, event))),
        )
        return done.modified_count > 0

    async def delete(self, author_id: str, now: datetime) -> None:
        """Mark all that an author sent, and that still has its texts, to be erased at once."""
        query = {"author_id": author_id, "erased_at": None, AS: {"$ne": "deleted"}}
        await self.collection.update_many(query, {"$set": marked(End("deleted", now))})

    async def erase(self, before: Submission, now: datetime) -> bool:
        """Take texts and files' names away from `before`, if it is still how things stand; true when they are gone.

        Who sent what language, country and consent when, the keys and the digests stay. What is to be told goes out first.
        """
        if before.erased_at is not None:
            return True
        blank = [
            _revision_document(each.number, each.manuscript.blank, each.accepted_at)
            for each in before.revisions
        ]
        as_read = {
            "_id": before.submission_id,
            "revision": before.latest.number,
            "withdrawn": before.withdrawn,
            "outbox.0": {"$exists": False},
        }
        change = {
            "$set": {"revisions": blank, "withdrawal_reason": None, "erased_at": now},
            "$unset": unmarked(),
        }
        return (await self.collection.update_one(as_read, change)).matched_count > 0

    async def tell_again(self, marks: Collection) -> None:
        """Withdrawals that an earlier version told unsigned."""
        await tell_again(
            marks, "withdrawals told signed", self.collection, {"withdrawn": True}, _withdrawal_in
        )


def _withdrawal_in(document: Document) -> Document:
    event = _withdrawn(
        document["_id"], document["revision"], document.get("withdrawal_reason"), document["withdrawn_at"]
    )
    return outbox.entry(SUBMISSION_WITHDRAWN, event)


def _withdrawn(submission_id: str, revision: int, reason: str | None, now: datetime) -> SubmissionWithdrawn:
    return SubmissionWithdrawn(
        event_id=uuid5(EVENTS, f"{submission_id}:withdrawn"),
        occurred_at=now,
        subject_id=submission_id,
        version=revision + 1,
        reason=reason,
    )


def received_log(database: Database, publish: Callable[[Document], Awaitable[None]]) -> OutboxLog:
    """The log of accepted submissions of one process."""
    return OutboxLog(database["submissions"], database["checkpoints"], events_of=events_of, publish=publish)


def events_of(document: Document) -> list[Document]:
    """What a submission told when it was accepted, however it has been revised since."""
    first = _revision(document["revisions"][0])
    event = _received(document["_id"], document["author_id"], 1, first.manuscript, first.accepted_at)
    return [{**outbox.entry(SUBMISSION_RECEIVED, event), "traceparent": document["traceparent"]}]


def _received(
    submission_id: str, author_id: str, revision: int, manuscript: Manuscript, now: datetime
) -> SubmissionReceived:
    written = {name: getattr(manuscript.draft, name) for name in DRAFTED}
    return SubmissionReceived(
        event_id=uuid5(EVENTS, f"{submission_id}:{revision}"),
        occurred_at=now,
        subject_id=submission_id,
        version=revision,
        revision=revision,
        author_id=author_id,
        media=manuscript.media,
        **written,
    )


def _revision_document(number: int, manuscript: Manuscript, now: datetime) -> Document:
    return {
        "number": number,
        "accepted_at": now,
        "key": manuscript.key,
        "fingerprint": manuscript.fingerprint,
        "media": [each.model_dump(mode="json") for each in manuscript.media],
        **_DRAFT.dump_python(manuscript.draft, mode="json"),
    }


def _revision(document: Document) -> Revision:
    draft = _DRAFT.validate_python({name: document[name] for name in DRAFT if name in document})
    media = tuple(Media.model_validate(each) for each in document["media"])
    manuscript = Manuscript(document["key"], document["fingerprint"], draft, media)
    return Revision(document["number"], document["accepted_at"], manuscript)


def _submission(document: Document) -> Submission:
    return Submission(
        submission_id=document["_id"],
        author_id=document["author_id"],
        revisions=tuple(_revision(each) for each in document["revisions"]),
        withdrawn=document["withdrawn"],
        end=end_in(document),
        erased_at=document.get("erased_at"),
    )
