"""Letting go of a submission in ingest: texts, files and the ledger, with a clock that is moved and a process that dies."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.ingest.people import codes
from services.ingest.retention.jobs import retention_of
from services.ingest.retention.service import SubmissionErasure
from services.ingest.status.rules import Told
from services.ingest.status.store import Ledger
from services.ingest.submissions.store import Manuscript, Submission, Submissions, received_log
from services.ingest.uploads.chunks import Quarantine
from services.ingest.uploads.cleanup import Sweep
from services.ingest.uploads.protocol import Upload, UploadLimits
from services.ingest.uploads.store import Uploads
from services.ingest.validation.rules import Attachment, Draft
from shared.bus.consuming import Publisher
from shared.bus.outbox import Relay
from shared.campaign.model import RetentionPeriods
from shared.events import SUBMISSION_RECEIVED, Attribution, Consent, Media, SubmissionReceived
from shared.failures import Failure, Unavailable, attempt
from shared.retention.model import AS
from shared.storage.document import Document
from shared.storage.media import MediaStore
from shared.storage.mongo import Database
from tests.support.builders import submission_lives as told
from tests.support.dying import dying
from tests.support.traces import left_of

NOW: Final = told.START
PERIODS: Final = RetentionPeriods().periods
SECRETS: Final = ("Gizli başlıq", "Gizli mətn", "gizliteq", "Gizli təsvir", "Gizli ad", "Gizli səbəb")
COLLECTIONS: Final = ("submissions", "ledger", "uploads")
PHOTO: Final = Media(sha256="ab" * 32, type="image/jpeg", bytes=10, width=4, height=3, alt="Gizli təsvir")
DRAFT: Final = Draft(
    title="Gizli başlıq",
    body="Gizli mətn",
    language="az",
    country="AZ",
    hashtags=("gizliteq",),
    attachments=(Attachment("u1", "Gizli təsvir"),),
    attribution=Attribution(mode="pseudonym", text="Gizli ad"),
    consent=Consent(terms_version="2026-1", people_shown="none", rights="own"),
)


class World:
    """Ingest's stores in a process that may die."""

    def __init__(self, database: Database, folder: Path) -> None:
        async def publish(_: Document) -> None: ...

        async def approved(_: Sequence[str]) -> bool:
            return True

        self.now = NOW
        self.database = database
        self.media = MediaStore(f"file://{folder / 'media'}")
        self.submissions = Submissions(received_log(database, publish))
        self.ledger = Ledger(database["ledger"])
        self.uploads = Uploads(database, UploadLimits(), approved)
        self.erasure = SubmissionErasure(self.submissions, self.ledger, self.uploads, PERIODS)
        self.jobs = retention_of(database, self.erasure, PERIODS, lambda: self.now)
        self.sweep = Sweep(database, Quarantine(self.media), self.media, folder / "screening")

    async def drain(self) -> int:
        done = 0
        for job in self.jobs.values():
            await job.prepare()
            done += await job.drain()
        return done

    async def upload(self, upload_id: str = "u1", sha256: str = PHOTO.sha256) -> None:
        """A clean upload with its file."""
        await self.uploads.create(
            Upload(upload_id, "author", 8, "image/jpeg", NOW, datetime.now(UTC) + timedelta(days=1))
        )
        media = PHOTO.model_copy(update={"sha256": sha256}).model_dump(mode="json", exclude={"alt"})
        await self.database["uploads"].update_one(
            {"_id": upload_id}, {"$set": {"state": "clean", "sha256": sha256, "media": media}}
        )
        await self.media.put(f"clean/{sha256}", b"a photo")

    async def accept(self, key: str = told.SUBMISSION, draft: Draft = DRAFT) -> Submission:
        submission_id = codes.submission_id("author", key)
        await self.uploads.keep([each.upload_id for each in draft.attachments], submission_id)
        await self.submissions.accept("author", Manuscript(key, "f", draft, (PHOTO,)), NOW)
        return await self.find(key)

    async def find(self, key: str = told.SUBMISSION) -> Submission:
        found = await self.submissions.find(codes.submission_id("author", key))
        assert found is not None
        return found

    async def tell(self, *events: Told) -> None:
        own = codes.submission_id("author", told.SUBMISSION)
        for event in events:
            names = {"submission_id": own} if hasattr(event, "submission_id") else {"subject_id": own}
            await self.ledger.tell(event.model_copy(update=names))

    async def withdraw(self) -> None:
        assert await self.submissions.withdraw(await self.find(), "Gizli səbəb", NOW)
        await self.database["submissions"].update_many({}, {"$set": {"outbox": []}})  # it was told

    async def left(self) -> list[str]:
        return await left_of(self.database, COLLECTIONS, SECRETS)

    async def has_file(self) -> bool:
        return await self.media.size(f"clean/{PHOTO.sha256}") is not None


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> World:
    made = World(database, tmp_path)
    await made.submissions.prepare()
    await made.uploads.prepare()
    await made.upload()
    await made.accept()
    return made


async def test_a_withdrawn_submission_leaves_no_word_and_no_file(world: World) -> None:
    await world.tell(told.decided(2, "approve", body="Gizli mətn"), told.case(3, "approved"))
    await world.withdraw()
    assert len(await world.left()) > len(SECRETS)

    await world.drain()
    await world.sweep.once(world.now + timedelta(minutes=1))

    assert await world.left() == []
    assert not await world.has_file()
    after = await world.find()
    assert (after.erased_at, after.withdrawn, after.latest.manuscript.media) == (world.now, True, ())
    draft = after.latest.manuscript.draft
    assert (draft.language, draft.country, draft.consent) == ("az", "AZ", DRAFT.consent)
    assert after.outcome_of(told.SUBMISSION, "f") == "repeated"


async def test_nothing_is_taken_twice_and_nothing_is_found_again(world: World) -> None:
    await world.withdraw()

    assert await world.drain() == 1
    assert await world.drain() == 0
    assert await world.database["submissions"].find_one({AS: {"$exists": True}}) is None


async def test_what_a_channel_has_not_let_go_of_stays_whole(world: World) -> None:
    await world.tell(
        told.decided(2, "approve", body="Gizli mətn"), told.delivery(1, "posted", url="https://e.org")
    )
    await world.withdraw()
    await world.tell(told.delivery(2, "removing", tombstone="withdrawn", url="https://e.org"))

    assert await world.drain() == 0
    assert (await world.find()).latest.manuscript.draft == DRAFT
    assert await world.has_file()

    await world.tell(told.delivery(3, "removed", tombstone="withdrawn"))
    assert await world.drain() > 0
    assert await world.left() == []


async def test_a_rejected_submission_stays_until_its_author_can_object_no_more(world: World) -> None:
    refusal = told.decided(2, "reject").model_copy(update={"message": "Gizli mətn"})
    await world.tell(told.case(1, "in_review"), refusal, told.case(3, "rejected"))

    world.now = told.at(2) + PERIODS["rejected"] - timedelta(hours=1)
    assert await world.drain() == 0
    assert (await world.find()).latest.manuscript.draft == DRAFT

    world.now += timedelta(hours=1)
    assert await world.drain() == 1
    assert await world.left() == []
    assert [each["state"] async for each in world.database["uploads"].find({})] == ["gone"]


async def test_what_is_under_review_is_never_taken_however_late_it_is(world: World) -> None:
    await world.tell(told.case(1, "screened"), told.case(2, "in_review"))
    world.now = NOW + timedelta(days=3000)

    assert await world.drain() == 0
    assert (await world.find()).latest.manuscript.draft == DRAFT


async def test_an_answer_that_moderation_does_not_know_yet_is_not_taken(world: World) -> None:
    await world.tell(told.decided(2, "request_changes"), told.case(3, "changes_requested"))
    answer = Manuscript("k2", "f2", replace(DRAFT, title="Cavab"), (PHOTO,))
    assert await world.submissions.revise(await world.find(), answer, NOW) == "stored"
    world.now = NOW + timedelta(days=3000)

    assert await world.drain() == 0
    assert (await world.find()).latest.manuscript.draft.title == "Cavab"


async def test_after_it_was_taken_an_answer_begins_anew(world: World) -> None:
    await world.tell(told.decided(2, "request_changes"), told.case(3, "changes_requested"))
    world.now = NOW + timedelta(days=3000)
    assert await world.drain() == 1

    answer = Manuscript("k2", "f2", replace(DRAFT, title="Cavab", attachments=()), ())
    assert await world.submissions.revise(await world.find(), answer, world.now) == "stored"
    after = await world.find()
    assert (after.erased_at, after.latest.manuscript.draft.title) == (None, "Cavab")
    assert after.revisions[0].manuscript.draft.title == ""


async def test_a_revision_goes_out_whole_before_it_is_taken(world: World) -> None:
    await world.tell(told.decided(2, "request_changes"), told.case(3, "changes_requested"))
    answer = Manuscript("k2", "f2", replace(DRAFT, title="Gizli başlıq"), (PHOTO,))
    await world.submissions.revise(await world.find(), answer, NOW)
    await world.submissions.withdraw(await world.find(), None, NOW)

    assert await world.drain() == 0
    out: list[Document] = []

    class Taking:
        async def publish(self, subject: str, body: bytes, **_: object) -> int:
            out.append({"subject": subject, "body": body})
            return 1

    key = Ed25519PrivateKey.generate()
    await Relay([world.submissions.collection], cast("Publisher", Taking()), key).drain()
    assert await world.drain() == 1
    assert await world.left() == []
    [body] = [each["body"] for each in out if each["subject"] == SUBMISSION_RECEIVED.subject]
    told_whole = SubmissionReceived.model_validate_json(body)
    assert told_whole.title == "Gizli başlıq"


async def test_a_file_that_another_submission_shows_stays(world: World) -> None:
    await world.upload("u2")
    await world.accept(
        "other", replace(DRAFT, title="Qalan", attachments=(Attachment("u1"), Attachment("u2")))
    )
    await world.withdraw()

    await world.drain()
    await world.sweep.once(world.now + timedelta(minutes=1))

    assert await world.has_file()
    assert (await world.find("other")).latest.manuscript.draft.title == "Qalan"
    assert {each["_id"]: each["state"] async for each in world.database["uploads"].find({})} == {
        "u1": "clean",
        "u2": "clean",
    }


async def test_a_decision_that_comes_late_is_taken_as_well(world: World) -> None:
    await world.withdraw()
    await world.tell(told.case(4, "withdrawn"))
    await world.drain()
    await world.tell(told.decided(2, "approve", body="Gizli mətn"))
    assert await world.left() != []

    world.now += timedelta(hours=1)
    await world.drain()

    assert await world.left() == []


@pytest.mark.parametrize("ended", ["withdrawn", "rejected"])
async def test_a_process_that_dies_anywhere_leaves_what_the_next_one_finishes(
    world: World, tmp_path: Path, ended: str
) -> None:
    if ended == "withdrawn":
        await world.tell(told.decided(2, "approve", body="Gizli mətn"), told.case(3, "withdrawn"))
        await world.withdraw()
    else:
        await world.tell(told.decided(2, "reject", body="Gizli mətn"), told.case(3, "rejected"))
    world.now = NOW - timedelta(days=1)
    assert await world.drain() == 0
    died = 0
    for writes in range(20):
        doomed = World(dying(world.database, writes), tmp_path)
        doomed.now = NOW + timedelta(days=40)
        outcome = await attempt(doomed.jobs["ledger"].drain())
        outcome = (
            outcome if isinstance(outcome, Failure) else await attempt(doomed.jobs["submissions"].drain())
        )
        if not isinstance(outcome, Failure):
            break
        assert isinstance(outcome.error, Unavailable)
        died += 1

    assert await world.left() == []
    assert died == 2


async def test_what_ended_before_there_were_marks_is_found(world: World) -> None:
    await world.withdraw()
    await world.database["submissions"].update_many({}, {"$unset": {"ended_as": "", "ended_since": ""}})

    assert await world.drain() == 1
    assert await world.left() == []
