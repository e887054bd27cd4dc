"""Uploads in the store: the offset, the verdict and the removal are each one write that only one can win."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.ingest.media_safety.model import Cleaned, MediaLimits, MediaRefusal
from services.ingest.media_safety.sandbox import LocalSandbox
from services.ingest.uploads.chunks import Incoming, Quarantine
from services.ingest.uploads.cleanup import Sweep
from services.ingest.uploads.leases import Leases, UploadLease
from services.ingest.uploads.protocol import Checksum, Upload, UploadLimits
from services.ingest.uploads.scan_job import Screening
from services.ingest.uploads.store import Counted, Uploads
from shared.failures import Unavailable
from shared.http.problems import Problem
from shared.storage.media import MediaStore, StorageFull
from shared.storage.mongo import Database
from tests.support.builders import media_corpus as corpus

LIMITS = UploadLimits(piece_bytes=4, open_uploads=3, open_bytes=1000)
ROOMY = UploadLimits()
CLEANED = Cleaned("image/jpeg", "ab" * 32, 10, 4, 3)


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(f"file://{tmp_path / 'media'}")


@pytest.fixture
def quarantine(store: MediaStore) -> Quarantine:
    return Quarantine(store)


@pytest.fixture
async def uploads(database: Database) -> Uploads:
    made = Uploads(database, LIMITS, approved)
    await made.prepare()
    return made


@pytest.fixture
def leases(database: Database, uploads: Uploads) -> Leases:
    return Leases(database, uploads)


@pytest.fixture
def sweep(database: Database, quarantine: Quarantine, store: MediaStore, tmp_path: Path) -> Sweep:
    return Sweep(database, quarantine, store, tmp_path / "screening")


async def approved(submissions: Sequence[str]) -> bool:
    return "approved" in submissions


def now() -> datetime:
    return datetime.now(UTC)


async def begun(uploads: Uploads, length: int = 8, upload_id: str = "u1", owner: str = "leyla") -> Upload:
    upload = Upload(upload_id, owner, length, "", now(), now() + timedelta(hours=24))
    await uploads.create(upload)
    return upload


async def sent(
    uploads: Uploads, quarantine: Quarantine, upload: Upload, content: bytes, limits: UploadLimits = LIMITS
) -> None:
    incoming = Incoming(uploads, quarantine, upload, None, limits)
    await incoming.begin()
    await incoming.take(content)
    await incoming.finish()


async def state(uploads: Uploads, upload_id: str = "u1") -> str:
    upload = await uploads.find(upload_id)
    assert upload is not None
    return upload.state


async def taken(leases: Leases, moment: datetime | None = None) -> UploadLease:
    lease = await leases.take("token", moment or now())
    assert lease is not None
    return lease


async def content(quarantine: Quarantine, lease: UploadLease) -> bytes:
    return b"".join([data for name in lease.parts async for data in quarantine.read(lease.upload_id, name)])


async def test_bytes_count_piece_by_piece(uploads: Uploads, quarantine: Quarantine, leases: Leases) -> None:
    upload = await begun(uploads, 10)
    incoming = Incoming(uploads, quarantine, upload, None, LIMITS)

    await incoming.begin()
    await incoming.take(b"0123456")
    halfway = await uploads.find("u1")
    await incoming.take(b"789")
    await incoming.finish()

    assert halfway is not None
    assert (halfway.offset, halfway.state) == (4, "receiving")
    assert await state(uploads) == "complete"
    assert await content(quarantine, await taken(leases)) == b"0123456789"


async def test_of_many_who_bring_the_same_bytes_one_wins(
    uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    upload = await begun(uploads, 3)

    ends = await asyncio.gather(
        *(sent(uploads, quarantine, upload, bytes([number] * 3)) for number in range(8)),
        return_exceptions=True,
    )

    lost = [end for end in ends if isinstance(end, Problem)]
    assert [problem.code for problem in lost] == ["upload_conflict"] * 7
    assert len(set(await content(quarantine, await taken(leases)))) == 1
    assert [len(names) for names in (await quarantine.all()).values()] == [1]


async def test_of_an_upload_never_more_lies_here_than_was_announced(
    uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    upload, text = await begun(uploads, 40), bytes(range(40))
    checksum = Checksum("sha256", hashlib.sha256(text).digest())
    writers = [Incoming(uploads, quarantine, upload, checksum, LIMITS) for _ in range(5)]

    for writer in writers:
        await writer.begin()
        await writer.take(text[:36])
        assert await lying(quarantine) == 36
    for loser in writers[:-1]:
        with pytest.raises(Problem) as refused:
            await loser.take(text[36:])
        assert (refused.value.status, refused.value.code) == (409, "upload_conflict")
    await writers[-1].take(text[36:])
    await writers[-1].finish()

    assert await lying(quarantine) == 40
    assert await content(quarantine, await taken(leases)) == text


async def lying(quarantine: Quarantine) -> int:
    pieces = [(upload, name) for upload, names in (await quarantine.all()).items() for name in names]
    return sum([len(data) for each in pieces async for data in quarantine.read(*each)])


async def test_a_client_that_comes_back_goes_on_though_its_old_connection_still_stands(
    uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    upload, text = await begun(uploads, 8), b"01234567"
    old, new = (
        Incoming(uploads, quarantine, upload, Checksum("sha256", hashlib.sha256(text).digest()), LIMITS)
        for _ in range(2)
    )
    await old.begin()
    await old.take(text[:4])
    await new.begin()

    await new.take(text)
    with pytest.raises(Problem, match="upload_conflict"):
        await old.take(text[4:])
    await new.finish()

    assert await content(quarantine, await taken(leases)) == text


async def test_what_arrived_before_a_connection_broke_counts_though_its_client_is_back_already(
    uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    upload = await begun(uploads, 8)
    old, new = (Incoming(uploads, quarantine, upload, None, LIMITS) for _ in range(2))
    await old.begin()
    await old.take(b"012")
    await new.begin()
    await old.break_off()

    with pytest.raises(Problem, match="upload_conflict"):
        await new.take(b"0123")
    later = await uploads.find("u1")
    assert later is not None
    assert later.offset == 3
    last = Incoming(uploads, quarantine, later, None, LIMITS)
    await last.begin()
    await last.take(b"34567")
    await last.finish()

    assert await content(quarantine, await taken(leases)) == b"01234567"


async def test_a_piece_that_was_removed_by_whoever_took_over_never_counts(
    uploads: Uploads, quarantine: Quarantine
) -> None:
    upload = await begun(uploads, 8)
    slow = await uploads.begin_writing(upload, alone=False)
    piece = await quarantine.write("u1", 0, b"0123")
    for checksum in (Checksum("sha256", b""), None):
        await Incoming(uploads, quarantine, upload, checksum, LIMITS).begin()
    assert slow is not None

    assert not await uploads.advance(upload, slow, Counted((piece,), 0, 4), now())
    assert await lying(quarantine) == 0


async def test_everybodys_first_file_is_screened_before_anybodys_second(
    uploads: Uploads, quarantine: Quarantine, leases: Leases, roomy: Uploads
) -> None:
    for owner, count in (("many", 5), ("leyla", 1), ("mehmet", 2)):
        for number in range(count):
            upload = await begun(roomy, 3, f"{owner}-{number}", owner)
            await sent(roomy, quarantine, upload, b"abc", ROOMY)

    order = []
    for number in range(8):
        lease = await leases.take(f"token {number}", now())
        assert lease is not None
        order.append(lease.upload_id.partition("-")[0])

    assert order == ["many", "leyla", "mehmet", "many", "mehmet", "many", "many", "many"]


async def test_what_submissions_keep_counts_as_well(database: Database, quarantine: Quarantine) -> None:
    limits = UploadLimits(held_bytes=100, newcomer_bytes=50)
    uploads = Uploads(database, limits, approved)
    for name, submission in (("u1", "pending"), ("u2", "approved")):
        upload = await begun(uploads, 20, name)
        await sent(uploads, quarantine, upload, bytes(20), limits)
        await database["uploads"].update_one({"_id": name}, {"$set": {"state": "clean"}})
        await uploads.keep([name], submission)
        if submission == "pending":
            with pytest.raises(Problem, match="upload_quota"):
                await begun(uploads, 31, "too much for a newcomer")

    await begun(uploads, 60, "u3")
    with pytest.raises(Problem, match="upload_quota"):
        await begun(uploads, 1, "one too many")


async def test_uploads_leave_room_to_everything_else(quarantine: Quarantine, store: MediaStore) -> None:
    free = await store.free()
    assert free is not None

    await quarantine.require_room(1, free // 2)
    with pytest.raises(StorageFull):
        await quarantine.require_room(free // 2 + free // 4, free // 2)


async def test_an_offset_that_has_moved_is_a_conflict(uploads: Uploads, quarantine: Quarantine) -> None:
    upload = await begun(uploads)
    await sent(uploads, quarantine, upload, b"0123")

    with pytest.raises(Problem) as refused:
        await sent(uploads, quarantine, upload, b"0123")

    assert refused.value.status == 409


async def test_a_write_that_the_driver_repeats_still_counts_once(
    uploads: Uploads, quarantine: Quarantine
) -> None:
    upload = await begun(uploads)

    writer = await uploads.begin_writing(upload, alone=True)
    assert writer is not None

    first = await uploads.advance(upload, writer, Counted(("0-aa",), 0, 4, last=True), now())
    again = await uploads.advance(upload, writer, Counted(("0-aa",), 0, 4, last=True), now())

    assert (first, again) == (True, True)
    after = await uploads.find("u1")
    assert after is not None
    assert after.offset == 4


async def test_a_person_has_so_many_open_uploads(uploads: Uploads) -> None:
    for number in range(3):
        await begun(uploads, upload_id=f"u{number}")

    with pytest.raises(Problem) as refused:
        await begun(uploads, upload_id="one too many")

    assert (refused.value.status, refused.value.code) == (429, "upload_quota")
    assert await uploads.find("one too many") is None
    await begun(uploads, upload_id="another's", owner="mehmet")


async def test_a_person_has_so_many_open_bytes(uploads: Uploads) -> None:
    await begun(uploads, 900)

    with pytest.raises(Problem, match="upload_quota"):
        await begun(uploads, 101, upload_id="u2")


async def settled(uploads: Uploads, quarantine: Quarantine, leases: Leases, upload_id: str = "u1") -> Upload:
    upload = await begun(uploads, 3, upload_id)
    await sent(uploads, quarantine, upload, b"abc")
    assert await leases.settle(await taken(leases), CLEANED)
    return upload


async def test_clean_media_are_claimed_by_their_owner_alone(
    uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    await settled(uploads, quarantine, leases)

    media = await uploads.claim(["u1", "u1"], "leyla", wait=0)

    assert [one.sha256 for one in media] == [CLEANED.sha256] * 2
    with pytest.raises(Problem) as refused:
        await uploads.claim(["u1"], "mehmet", wait=0)
    assert (refused.value.status, refused.value.code) == (422, "upload_unknown")
    assert refused.value.extra == {"upload_id": "u1"}


async def test_an_unknown_or_unfinished_upload_cannot_be_claimed(
    uploads: Uploads, quarantine: Quarantine
) -> None:
    upload = await begun(uploads, 3)

    codes = []
    for ids in (["nothing"], ["u1"]):
        with pytest.raises(Problem) as refused:
            await uploads.claim(ids, "leyla", wait=5)
        codes.append((refused.value.status, refused.value.code))
    await sent(uploads, quarantine, upload, b"abc")
    with pytest.raises(Problem) as refused:
        await uploads.claim(["u1"], "leyla", wait=0.01)

    assert codes == [(422, "upload_unknown"), (409, "upload_incomplete")]
    assert (refused.value.status, refused.value.code) == (409, "upload_screening")
    assert "Retry-After" in refused.value.headers


async def test_a_claim_waits_for_the_verdict(
    uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    upload = await begun(uploads, 3)
    await sent(uploads, quarantine, upload, b"abc")
    claim = asyncio.create_task(uploads.claim(["u1"], "leyla", wait=20))

    await leases.settle(await taken(leases), CLEANED)

    assert [one.sha256 for one in await claim] == [CLEANED.sha256]


async def test_a_refusal_is_told_with_its_code(
    uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    upload = await begun(uploads, 3)
    await sent(uploads, quarantine, upload, b"abc")
    await leases.settle(await taken(leases), MediaRefusal("media_truncated", "Send the whole file."))

    with pytest.raises(Problem) as refused:
        await uploads.claim(["u1"], "leyla", wait=5)

    assert (refused.value.status, refused.value.code) == (422, "media_truncated")
    assert refused.value.detail == "Send the whole file."


async def test_one_process_screens_an_upload(
    uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    upload = await begun(uploads, 3)
    await sent(uploads, quarantine, upload, b"abc")
    moment = now()

    won = await asyncio.gather(*(leases.take(str(number), moment) for number in range(10)))

    assert len([lease for lease in won if lease is not None]) == 1


async def test_a_lease_that_ran_out_goes_to_another_whose_verdict_counts(
    uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    upload = await begun(uploads, 3)
    await sent(uploads, quarantine, upload, b"abc")
    dead = await taken(leases)
    later = now() + timedelta(seconds=leases.seconds + 1)

    assert await leases.take("early", now()) is None
    second = await leases.take("second", later)

    assert second is not None
    assert second.tries == 2
    assert not await leases.settle(dead, MediaRefusal("media_type", "Too late."))
    assert await leases.settle(second, CLEANED)
    assert await state(uploads) == "clean"


async def test_a_renewed_lease_is_held(uploads: Uploads, quarantine: Quarantine, leases: Leases) -> None:
    upload = await begun(uploads, 3)
    await sent(uploads, quarantine, upload, b"abc")
    lease = await taken(leases)
    later = now() + timedelta(seconds=leases.seconds - 1)

    await leases.renew(lease, later)

    assert await leases.take("other", later + timedelta(seconds=2)) is None


async def test_a_terminated_upload_is_gone_with_its_pieces(
    uploads: Uploads, quarantine: Quarantine, sweep: Sweep
) -> None:
    upload = await begun(uploads)
    await sent(uploads, quarantine, upload, b"0123")

    await uploads.terminate(upload, now())
    await sweep.once(now())

    assert await state(uploads) == "gone"
    assert await quarantine.all() == {}
    with pytest.raises(Problem, match="upload_conflict"):
        await sent(uploads, quarantine, replace(upload, offset=4), b"4567")


async def test_an_unclaimed_upload_expires_with_its_clean_file(
    uploads: Uploads, quarantine: Quarantine, leases: Leases, sweep: Sweep, store: MediaStore
) -> None:
    upload = await begun(uploads, 3)
    await sent(uploads, quarantine, upload, b"abc")
    lease = await taken(leases)
    await leases.intend(lease, CLEANED.sha256)
    await store.put(f"clean/{CLEANED.sha256}", b"clean")
    await leases.settle(lease, CLEANED)

    await sweep.once(now() + timedelta(hours=23))
    assert await state(uploads) == "clean"
    await sweep.once(now() + timedelta(hours=25))

    assert await state(uploads) == "gone"
    assert await store.list("clean/") == []
    await sweep.once(now() + timedelta(days=9))
    assert await uploads.find("u1") is None


async def test_what_a_submission_keeps_does_not_expire(
    uploads: Uploads, quarantine: Quarantine, leases: Leases, sweep: Sweep, store: MediaStore
) -> None:
    upload = await settled(uploads, quarantine, leases)
    await store.put(f"clean/{CLEANED.sha256}", b"clean")

    for _ in range(2):
        await uploads.keep(["u1"], "s1")
    await sweep.once(now() + timedelta(days=400))

    after = await uploads.find("u1")
    assert after is not None
    assert (after.state, after.kept_by) == ("clean", ("s1",))
    assert await store.list("clean/") == [f"clean/{CLEANED.sha256}"]
    with pytest.raises(Problem, match="upload_in_use"):
        await uploads.terminate(upload, now())


async def test_a_claim_holds_off_the_expiry_until_the_submission_is_stored(
    database: Database, uploads: Uploads, quarantine: Quarantine, leases: Leases, sweep: Sweep
) -> None:
    await settled(uploads, quarantine, leases)
    await database["uploads"].update_one(
        {"_id": "u1"}, {"$set": {"expires_at": now() + timedelta(seconds=5)}}
    )

    await uploads.claim(["u1"], "leyla", wait=0)
    await sweep.once(now() + timedelta(minutes=30))

    assert await state(uploads) == "clean"


async def test_a_clean_file_stays_while_another_upload_names_it(
    uploads: Uploads, quarantine: Quarantine, leases: Leases, sweep: Sweep, store: MediaStore
) -> None:
    await store.put(f"clean/{CLEANED.sha256}", b"clean")
    for name in ("u1", "u2"):
        upload = await begun(uploads, 3, name)
        await sent(uploads, quarantine, upload, b"abc")
        lease = await taken(leases)
        await leases.intend(lease, CLEANED.sha256)
        await leases.settle(lease, CLEANED)
    await uploads.keep(["u2"], "s1")

    await sweep.once(now() + timedelta(days=2))

    assert await state(uploads, "u1") == "gone"
    assert await store.list("clean/") == [f"clean/{CLEANED.sha256}"]


async def test_a_clean_file_that_is_being_removed_is_not_relied_upon(
    database: Database, uploads: Uploads, quarantine: Quarantine, leases: Leases
) -> None:
    upload = await begun(uploads, 3)
    await sent(uploads, quarantine, upload, b"abc")
    lease = await taken(leases)
    await database["media_removals"].insert_one({"_id": CLEANED.sha256, "at": now()})

    with pytest.raises(Unavailable):
        await leases.intend(lease, CLEANED.sha256)


async def test_pieces_that_never_counted_are_swept_and_those_that_may_count_are_not(
    uploads: Uploads, quarantine: Quarantine, leases: Leases, sweep: Sweep
) -> None:
    upload = await begun(uploads)
    await quarantine.write("u1", 0, b"lost")
    await quarantine.write("a stranger", 0, b"lost")
    await sent(uploads, quarantine, upload, b"0123")
    under_way = await quarantine.write("u1", 4, b"4567")

    await sweep.once(now())

    assert list(await quarantine.all()) == ["u1"]
    assert under_way in (await quarantine.all())["u1"]
    assert len((await quarantine.all())["u1"]) == 2
    writer = await uploads.begin_writing(replace(upload, offset=4), alone=False)
    assert writer is not None
    assert await uploads.advance(upload, writer, Counted((under_way,), 4, 8), now())
    assert await content(quarantine, await taken(leases)) == b"01234567"


async def test_files_of_a_killed_pass_are_swept_and_those_of_a_running_one_are_not(
    uploads: Uploads, sweep: Sweep, tmp_path: Path
) -> None:
    for name, age in (("dead", 3600), ("running", 60)):
        source = tmp_path / "screening" / name / "source"
        source.parent.mkdir(parents=True)
        source.write_bytes(b"with its position")
        for path in (source, source.parent):
            os.utime(path, times=(now().timestamp() - age,) * 2)

    await sweep.once(now())

    assert [path.name for path in (tmp_path / "screening").iterdir()] == ["running"]


@pytest.fixture
async def screening(
    leases: Leases, quarantine: Quarantine, store: MediaStore, tmp_path: Path
) -> AsyncIterator[Screening]:
    yield Screening(leases, quarantine, store, LocalSandbox(), tmp_path / "screening", MediaLimits())
    assert list((tmp_path / "screening").iterdir()) == []


@pytest.fixture
def roomy(database: Database) -> Uploads:
    return Uploads(database, ROOMY, approved)


async def test_a_photo_goes_from_pieces_to_a_clean_file(
    roomy: Uploads, uploads: Uploads, quarantine: Quarantine, screening: Screening, store: MediaStore
) -> None:
    photo = corpus.jpeg(orientation=6)
    upload = await begun(roomy, len(photo))
    await sent(roomy, quarantine, upload, photo, ROOMY)

    await screening.drain()

    (media,) = await uploads.claim(["u1"], "leyla", wait=0)
    clean = await store.get(f"clean/{media.sha256}")
    assert (media.type, media.width, media.height, media.bytes) == ("image/jpeg", 200, 320, len(clean))
    assert b"Exif" not in clean
    assert await quarantine.all() == {}


async def test_a_hostile_file_leaves_nothing_behind(
    roomy: Uploads, quarantine: Quarantine, screening: Screening, store: MediaStore
) -> None:
    upload = await begun(roomy, 12)
    await sent(roomy, quarantine, upload, b"<svg></svg>\n", ROOMY)

    await screening.drain()

    after = await roomy.find("u1")
    assert after is not None
    assert after.refusal is not None
    assert (after.state, after.refusal.code) == ("refused", "media_type")
    assert await quarantine.all() == {}
    assert await store.list("clean/") == []


async def test_an_upload_that_lost_a_piece_is_refused_not_tried_for_ever(
    roomy: Uploads, quarantine: Quarantine, screening: Screening
) -> None:
    upload = await begun(roomy, 12)
    await sent(roomy, quarantine, upload, b"<svg></svg>\n", ROOMY)
    await quarantine.remove_all("u1")

    await screening.drain()

    after = await roomy.find("u1")
    assert after is not None
    assert after.refusal is not None
    assert after.refusal.code == "media_truncated"


async def test_an_empty_upload_is_refused(roomy: Uploads, screening: Screening) -> None:
    await begun(roomy, 0)

    await screening.drain()

    assert await state(roomy) == "refused"
