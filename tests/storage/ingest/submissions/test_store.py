"""Submissions in the store: one per key, revised and withdrawn by compare-and-set, each change told in its own write."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.people import codes
from services.ingest.submissions.group_commit import GroupCommit
from services.ingest.submissions.store import Manuscript, Submission, Submissions
from services.ingest.validation.rules import Draft
from shared.events import (
    BY_SUBJECT,
    AiUse,
    Attribution,
    Consent,
    Event,
    Media,
    SubmissionReceived,
    SubmissionWithdrawn,
)
from shared.failures import Failure, attempt
from shared.storage.mongo import Database, connect, is_unavailable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AUTHOR = "author-1"
PHOTO = Media(sha256="ab" * 32, type="image/jpeg", bytes=10, width=4, height=3, alt="Bir ev")
DRAFT = Draft(
    title="Köhnə şəhər",
    body="Birinci sətir\r\nikinci \u200fsətir",
    language="az",
    country="AZ",
    section="heritage",
    hashtags=("İçərişəhər",),
    attribution=Attribution(mode="pseudonym", text="Bir könüllü"),
    consent=Consent(terms_version="2026-1", people_shown="none", rights="own"),
    ai=AiUse(edited=True),
)


def manuscript(key: str = "k1", fingerprint: str = "f1", title: str = DRAFT.title) -> Manuscript:
    return Manuscript(key, fingerprint, replace(DRAFT, title=title), (PHOTO,))


@pytest.fixture
async def submissions(database: Database) -> Submissions:
    store = Submissions(database["submissions"])
    await store.prepare()
    return store


async def stored(submissions: Submissions, key: str = "k1") -> Submission:
    found = await submissions.find(codes.submission_id(AUTHOR, key))
    assert found is not None
    return found


async def told(submissions: Submissions, submission_id: str) -> list[Event]:
    found = await submissions.collection.find_one({"_id": submission_id})
    assert found is not None
    return [BY_SUBJECT[entry["subject"]].parse(entry["body"].encode()) for entry in found["outbox"]]


async def test_what_is_accepted_is_found_again_exactly(submissions: Submissions) -> None:
    assert await submissions.accept(AUTHOR, manuscript(), NOW) == "stored"

    found = await stored(submissions)
    assert found.latest.manuscript == manuscript()
    assert (found.author_id, found.accepted_at, found.withdrawn) == (AUTHOR, NOW, False)


async def test_its_event_is_stored_with_it(submissions: Submissions) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)

    (event,) = await told(submissions, codes.submission_id(AUTHOR, "k1"))
    assert isinstance(event, SubmissionReceived)
    assert (event.version, event.revision, event.body, event.media) == (1, 1, DRAFT.body, (PHOTO,))


async def test_two_hundred_at_once_under_one_key_are_one_submission(submissions: Submissions) -> None:
    outcomes = await asyncio.gather(*(submissions.accept(AUTHOR, manuscript(), NOW) for _ in range(200)))

    assert sorted(set(outcomes)) == ["repeated", "stored"]
    assert outcomes.count("stored") == 1
    assert await submissions.collection.count_documents({}) == 1


async def test_many_at_once_under_many_keys_each_learn_their_own_fate(submissions: Submissions) -> None:
    await submissions.accept(AUTHOR, manuscript("k3"), NOW)
    outcomes = await asyncio.gather(
        *(submissions.accept(AUTHOR, manuscript(f"k{n}", f"f{n % 2}"), NOW) for n in range(100))
    )

    assert outcomes[3] == "repeated"
    assert [outcome for n, outcome in enumerate(outcomes) if n != 3] == ["stored"] * 99
    assert await submissions.collection.count_documents({}) == 100


async def test_another_content_under_a_used_key_is_told(submissions: Submissions) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)

    assert await submissions.accept(AUTHOR, manuscript(fingerprint="other"), NOW) == "reused"
    assert await submissions.accept("author-2", manuscript(fingerprint="other"), NOW) == "stored"


async def test_a_revision_keeps_the_one_before_and_is_told(submissions: Submissions) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)
    before = await stored(submissions)
    later = NOW + timedelta(hours=1)

    assert await submissions.revise(before, manuscript("r2", "f2", "Yeni başlıq"), later) == "stored"

    after = await stored(submissions)
    assert [each.manuscript.draft.title for each in after.revisions] == [DRAFT.title, "Yeni başlıq"]
    assert (after.latest.number, after.accepted_at, after.latest.accepted_at) == (2, NOW, later)
    events = await told(submissions, after.submission_id)
    assert [(event.version, event.subject_id) for event in events] == [
        (1, after.submission_id),
        (2, after.submission_id),
    ]


async def test_of_two_revisions_at_once_one_is_stored(submissions: Submissions) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)
    before = await stored(submissions)

    outcomes = await asyncio.gather(
        *(submissions.revise(before, manuscript(f"r{n}", f"f{n}"), NOW) for n in range(5)),
    )
    again = await submissions.revise(before, (await stored(submissions)).latest.manuscript, NOW)

    assert sorted(outcomes) == ["outdated"] * 4 + ["stored"]
    assert again == "repeated"


async def test_a_withdrawal_happens_once_and_ends_revisions(submissions: Submissions) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)
    before = await stored(submissions)

    done = await asyncio.gather(*(submissions.withdraw(before, "səbəb", NOW) for _ in range(5)))

    assert sorted(done) == [False] * 4 + [True]
    assert (await stored(submissions)).withdrawn
    assert await submissions.revise(before, manuscript("r2", "f2"), NOW) == "outdated"
    _, event = await told(submissions, before.submission_id)
    assert isinstance(event, SubmissionWithdrawn)
    assert (event.version, event.reason) == (2, "səbəb")


async def test_ones_own_are_listed_newest_first_page_by_page(submissions: Submissions) -> None:
    for n in range(5):
        await submissions.accept(AUTHOR, manuscript(f"k{n}"), NOW + timedelta(minutes=n // 2))
    await submissions.accept("author-2", manuscript(), NOW)

    listed, place = [], None
    while page := await submissions.of(AUTHOR, place, 2):
        listed += page
        place = (page[-1].accepted_at, page[-1].submission_id)

    assert len({each.submission_id for each in listed}) == 5
    assert listed == sorted(listed, key=lambda each: (each.accepted_at, each.submission_id), reverse=True)


async def test_media_are_found_for_their_author_alone(submissions: Submissions) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)

    assert await submissions.media_of(AUTHOR, PHOTO.sha256) == PHOTO
    assert await submissions.media_of("author-2", PHOTO.sha256) is None


async def test_nobody_is_told_stored_while_the_store_is_away() -> None:
    client = connect("mongodb://127.0.0.1:9", timeout_ms=300)
    commit = GroupCommit(client["away"]["submissions"])

    answers = await asyncio.gather(*(attempt(commit.insert({"_id": n})) for n in range(3)))

    assert all(isinstance(answer, Failure) and is_unavailable(answer.error) for answer in answers)
    await client.close()


async def test_a_caller_that_goes_away_takes_nobody_along(database: Database) -> None:
    commit = GroupCommit(database["submissions"])
    leaving = asyncio.create_task(commit.insert({"_id": "leaving"}))
    staying = asyncio.create_task(commit.insert({"_id": "staying"}))
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying


async def test_a_document_that_cannot_be_written_refuses_no_other(database: Database) -> None:
    commit = GroupCommit(database["submissions"])
    documents = [{"_id": 1}, {"_id": 2, "number": 2**70}, {"_id": 3}, {"_id": 1}]

    answers = await asyncio.gather(*(attempt(commit.insert(document)) for document in documents))

    assert [answers[0], *answers[2:]] == [True, True, False]
    assert isinstance(answers[1], Failure)
    assert await database["submissions"].count_documents({}) == 2
