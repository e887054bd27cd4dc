"""Submissions in the store: one per key, revised and withdrawn by compare-and-set, each change told in its own write."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.people import codes
from services.ingest.submissions.store import Manuscript, Submission, Submissions, events_of, received_log
from services.ingest.validation.rules import Draft
from shared.bus.outbox import Relay, embedded
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
from shared.storage.document import Document
from shared.storage.mongo import Database, connect, is_unavailable
from tests.support.processes import within

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
def published() -> list[Document]:
    """The entries that the streams were given."""
    return []


@pytest.fixture
async def submissions(database: Database, published: list[Document]) -> Submissions:
    async def publish(entry: Document) -> None:
        published.append(entry)

    store = Submissions(received_log(database, publish))
    await store.prepare()
    return store


async def stored(submissions: Submissions, key: str = "k1") -> Submission:
    found = await submissions.find(codes.submission_id(AUTHOR, key))
    assert found is not None
    return found


async def told(submissions: Submissions, submission_id: str) -> list[Event]:
    found = await submissions.collection.find_one({"_id": submission_id})
    assert found is not None
    entries = [*events_of(found), *found.get("outbox", [])]
    return [BY_SUBJECT[entry["subject"]].parse(entry["body"].encode()) for entry in entries]


async def test_what_is_accepted_is_found_again_exactly(submissions: Submissions) -> None:
    assert await submissions.accept(AUTHOR, manuscript(), NOW) == "stored"

    found = await stored(submissions)
    assert found.latest.manuscript == manuscript()
    assert (found.author_id, found.accepted_at, found.withdrawn) == (AUTHOR, NOW, False)


async def test_its_event_follows_from_what_is_stored_and_is_published(
    submissions: Submissions, published: list[Document]
) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW + timedelta(microseconds=123_456))

    (event,) = await told(submissions, codes.submission_id(AUTHOR, "k1"))
    assert isinstance(event, SubmissionReceived)
    assert (event.version, event.revision, event.body, event.media) == (1, 1, DRAFT.body, (PHOTO,))
    assert event.occurred_at == NOW + timedelta(milliseconds=123)
    async with within(10):
        while not published:
            await asyncio.sleep(0.01)
    stored = await submissions.collection.find_one({})
    assert stored is not None
    assert published == events_of(stored)


async def test_its_event_is_for_ever_the_same(submissions: Submissions) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)
    before = await stored(submissions)
    first, *_ = await told(submissions, before.submission_id)

    await submissions.revise(before, manuscript("r2", "f2", "Yeni başlıq"), NOW)
    await submissions.withdraw(await stored(submissions), None, NOW)

    events = await told(submissions, before.submission_id)
    assert events[0] == first
    assert [event.version for event in events] == [1, 2, 3]


async def test_a_repeated_key_with_another_content_never_tells_the_other_content(
    submissions: Submissions, published: list[Document]
) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)
    await submissions.accept(AUTHOR, manuscript(fingerprint="other", title="Başqa"), NOW)
    await submissions.accept(AUTHOR, manuscript("k2"), NOW)
    async with within(10):
        while len({entry["event_id"] for entry in published}) < 2:
            await asyncio.sleep(0.01)

    assert not any("Başqa" in entry["body"] for entry in published)


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


async def test_a_withdrawal_told_unsigned_is_told_again_and_nothing_else_is(
    submissions: Submissions, database: Database
) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)
    before = await stored(submissions)
    await submissions.accept(AUTHOR, manuscript("k2"), NOW + timedelta(minutes=1))
    await submissions.withdraw(before, "səbəb", NOW)
    id_of = {"_id": before.submission_id}
    withdrawn = (await submissions.collection.find_one(id_of) or {})["outbox"]
    await submissions.collection.update_many({}, {"$set": {"outbox": []}})

    for _ in range(2):
        await submissions.tell_again(database["marks"])

    [again] = (await submissions.collection.find_one(id_of) or {})["outbox"]
    assert (again["event_id"], again["body"]) == (withdrawn[-1]["event_id"], withdrawn[-1]["body"])
    assert await submissions.collection.count_documents({"outbox": {"$size": 1}}) == 1


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


async def test_nobody_is_told_stored_while_the_store_is_away(published: list[Document]) -> None:
    async def publish(entry: Document) -> None:
        published.append(entry)

    client = connect("mongodb://127.0.0.1:9", timeout_ms=300)
    away = Submissions(received_log(client["away"], publish))

    answers = await asyncio.gather(
        *(attempt(away.accept(AUTHOR, manuscript(f"k{n}"), NOW)) for n in range(3))
    )

    assert all(isinstance(answer, Failure) and is_unavailable(answer.error) for answer in answers)
    assert published == []
    await client.close()


async def test_a_caller_that_goes_away_takes_nobody_along(submissions: Submissions) -> None:
    leaving, staying = (
        asyncio.create_task(submissions.accept(AUTHOR, manuscript(key), NOW)) for key in ("k1", "k2")
    )
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == "stored"


async def test_what_an_earlier_version_left_in_its_outbox_is_still_published(
    submissions: Submissions, published: list[Document]
) -> None:
    await submissions.accept(AUTHOR, manuscript(), NOW)
    new = await submissions.collection.find_one({})
    assert new is not None
    old = {key: value for key, value in new.items() if key not in {"log", "traceparent"}}
    await submissions.collection.insert_one({**old, "_id": "old", **embedded(*events_of(new))})
    sent: list[str] = []

    class Publisher:
        async def publish(self, subject: str, body: bytes, *, message_id: str, **_more: object) -> int:
            sent.append(message_id)
            return len(sent)

    await Relay([submissions.collection], Publisher()).drain()  # type: ignore[arg-type]  # its one call

    assert sent == [events_of(new)[0]["event_id"]]
    assert await submissions.find("old") == replace(await stored(submissions), submission_id="old")
    assert (await submissions.collection.find_one({"_id": "old"}) or {})["outbox"] == []
