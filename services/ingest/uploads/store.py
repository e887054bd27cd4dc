"""Uploads in the store: how far each has come, which pieces it consists of, what became of it.

Bytes lie in the object store as pieces, `quarantine/<upload id>/<offset>-<nonce>`. A piece counts from the moment the
document names it, and the document names it by compare-and-set on the offset: of two requests that bring the same bytes
one wins, and a piece that lost, or that was written by a process that died, is swept away.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final, TypeAlias

from services.ingest.media_safety.model import MediaRefusal
from services.ingest.uploads import telemetry
from services.ingest.uploads.protocol import Upload, UploadLimits, UploadsHeld, require_quota
from shared.concurrency.wake_up import WakeUp, woken
from shared.events import Media
from shared.http.problems import Problem
from shared.storage.compare_and_set import Race
from shared.storage.document import Document
from shared.storage.mongo import Collection, Database

WITHOUT_PARTS: Final = {"parts": 0}
OPEN_STATES: Final = ["receiving", "complete", "screening", "clean"]
ASK_AGAIN_SECONDS: Final = 0.2
CLAIM_SAFE: Final = timedelta(hours=1)
"""A claimed upload does not expire sooner than this, so that its submission can be stored meanwhile."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Pieces that hold the bytes from `start` until before `end`."""

    pieces: tuple[str, ...]
    start: int
    end: int
    last: bool = False
    """Whether the request that brought them has ended."""


@dataclass(frozen=True, slots=True)
class Writer:
    """The right to write an upload, until somebody takes it over."""

    turns: int | None
    """How often it had been taken over by then."""
    took_over: bool
    """Whether others may have left pieces that will never count."""


Approved: TypeAlias = Callable[[Sequence[str]], Awaitable[bool]]
"""Whether any of these submissions was approved."""
LOOKED_AT: Final = 20
"""So many of a person's latest submissions tell whether they are a newcomer."""


class Uploads:
    """The uploads of everybody."""

    def __init__(self, database: Database, limits: UploadLimits, approved: Approved) -> None:
        self._rows: Collection = database["uploads"]
        self._limits, self._approved = limits, approved
        self.arrived = WakeUp()
        """Rings when an upload is complete and waits for its screening."""
        self.screened = WakeUp()
        """Rings when a screening has ended."""

    async def prepare(self) -> None:
        """The indexes that every query of uploads runs on."""
        await self._rows.create_index([("owner", 1), ("created_at", 1)])
        await self._rows.create_index([("turn", 1), ("due_at", 1)], sparse=True)
        await self._rows.create_index("expires_at", sparse=True)
        await self._rows.create_index("gone_at", sparse=True)
        await self._rows.create_index("sha256", sparse=True)
        await self._rows.create_index("kept_by", name="kept_by")
        # An earlier version kept the names of files.
        await self._rows.update_many({"metadata": {"$exists": True}}, {"$unset": {"metadata": ""}})

    async def create(self, upload: Upload) -> None:
        """Begin an upload. Raises 429 `upload_quota` when the person has too much here; then nothing is begun.

        The row is written first and counted then, oldest first, so that of many at once just those over the quota fail.
        """
        await self._rows.insert_one(_row(upload))
        try:
            held, kept_by = await self._held(upload)
            newcomer = not kept_by or not await self._approved(kept_by)
            require_quota(held, upload.length, self._limits, newcomer=newcomer)
        except BaseException:
            await self._rows.delete_one({"_id": upload.id})
            raise
        telemetry.upload_begun(upload.id, upload.length)
        await self._complete_if_empty(upload)

    async def _held(self, upload: Upload) -> tuple[UploadsHeld, list[str]]:
        """What lies here of the person beside this upload, and the submissions that use it, newest first."""
        mine = self._rows.find(
            {"owner": upload.owner, "created_at": {"$lte": upload.created_at}, "state": {"$ne": "gone"}},
            {"length": 1, "state": 1, "expires_at": 1, "kept_by": 1},
        )
        rows = [row async for row in mine.sort("created_at", -1) if row["_id"] != upload.id]
        waiting = [row["length"] for row in rows if _is_open(row)]
        kept = [row["length"] for row in rows if row["kept_by"]]
        users = list(dict.fromkeys(one for row in rows for one in row["kept_by"]))[:LOOKED_AT]
        return UploadsHeld(len(waiting), sum(waiting), sum(waiting) + sum(kept)), users

    async def begin_writing(self, upload: Upload, *, alone: bool) -> Writer | None:
        """Begin to write where the upload stands; nothing when it does not stand there any more.

        A body whose pieces count one by one needs no right of its own: the offset decides between it and others. One that
        holds its pieces back until its checksum is known writes `alone`: whoever wrote before has lost the upload then. So
        a client that comes back need not wait until its old connection has been found dead.
        """
        row = await self._rows.find_one(_standing(upload), {"turns": 1, "alone": 1})
        if row is None:
            return None
        turns = row.get("turns")
        if not alone and not row.get("alone"):
            return Writer(turns, took_over=False)
        mine = (turns or 0) + 1
        done = await self._rows.update_one(
            _standing(upload) | {"turns": turns}, {"$set": {"turns": mine, "alone": alone}}
        )
        return Writer(mine, took_over=True) if done.matched_count else None

    async def writes(self, upload: Upload, writer: Writer) -> bool:
        """Whether nobody has taken the upload over since."""
        query = {"_id": upload.id, "turns": writer.turns, "state": "receiving"}
        return await self._rows.find_one(query, {"_id": 1}) is not None

    async def parts(self, upload: Upload) -> tuple[str, ...]:
        """The names of the pieces that count."""
        row = await self._rows.find_one({"_id": upload.id}, {"parts": 1})
        return tuple(row.get("parts", ())) if row else ()

    async def _complete_if_empty(self, upload: Upload) -> None:
        if upload.length == 0:
            await self._rows.update_one(
                {"_id": upload.id}, {"$set": await self._due(upload, datetime.now(UTC))}
            )
            self.arrived.call()

    async def _due(self, upload: Upload, now: datetime) -> Document:
        """What makes an upload wait for its screening: behind as many others as its owner has waiting already.

        So one person's hundred files take turns with everybody else's first.
        """
        before = {"owner": upload.owner, "state": {"$in": ["complete", "screening"]}}
        return {"state": "complete", "due_at": now, "turn": await self._rows.count_documents(before)}

    async def find(self, upload_id: str) -> Upload | None:
        """The upload as it stands now."""
        row = await self._rows.find_one({"_id": upload_id}, WITHOUT_PARTS)
        return None if row is None else _upload(row)

    async def advance(self, upload: Upload, writer: Writer, counted: Counted, now: datetime) -> bool:
        """Count pieces, if the upload still stands at their start and nobody has taken it over."""
        fields: Document = {"offset": counted.end, "expires_at": now + self._limits.lifetime}
        if counted.last:
            fields["alone"] = False
        whole = counted.end == upload.length
        if whole:
            fields |= await self._due(upload, now)
        done = await self._rows.update_one(
            {"_id": upload.id, "offset": counted.start, "state": "receiving", "turns": writer.turns},
            {"$set": fields, "$push": {"parts": {"$each": list(counted.pieces)}}},
        )
        if done.matched_count == 0 and not await self._counts(upload.id, counted.pieces):
            return False
        if whole:
            telemetry.upload_completed(upload.id, upload.length)
            self.arrived.call()
        return True

    async def _counts(self, upload_id: str, pieces: Sequence[str]) -> bool:
        """Whether the document names the pieces: a driver that repeats a write finds its own first one in the way."""
        return (
            await self._rows.find_one({"_id": upload_id, "parts": {"$all": list(pieces)}}, {"_id": 1})
            is not None
        )

    async def terminate(self, upload: Upload, now: datetime) -> None:
        """End an upload that no submission holds. Raises 409 `upload_in_use`."""
        done = await self._rows.update_one({"_id": upload.id, "kept_by": []}, gone(now))
        if done.matched_count == 0:
            raise Problem(
                409,
                "upload_in_use",
                "A submission uses this upload. Withdraw the submission to have it removed.",
            )
        telemetry.upload_ended(upload.id, "terminated")

    async def claim(self, upload_ids: Sequence[str], owner: str, *, wait: float) -> list[Media]:
        """The media of `owner`'s uploads in this order, waiting up to `wait` seconds for their screening.

        Nothing is consumed. Raises 422 `upload_unknown` or the refusal's `media_…`, 409 `upload_incomplete`, or 409
        `upload_screening` when the time was too short; each names the `upload_id`.
        """
        deadline = monotonic() + wait
        while True:
            screened = self.screened.next()
            found = await self._claimable(list(dict.fromkeys(upload_ids)))
            waiting = [one for one in upload_ids if _must_wait(one, found.get(one), owner)]
            left = deadline - monotonic()
            if not waiting:
                return [media for one in upload_ids if (media := found[one].media) is not None]
            if left <= 0:
                raise Problem(
                    409,
                    "upload_screening",
                    "The photo or video is still being checked. Send the same again in a few seconds.",
                    headers={"Retry-After": "2"},
                    upload_id=waiting[0],
                )
            await woken(screened, min(left, ASK_AGAIN_SECONDS))

    async def _claimable(self, ids: list[str]) -> dict[str, Upload]:
        soon = datetime.now(UTC) + CLAIM_SAFE
        await self._rows.update_many(
            {"_id": {"$in": ids}, "expires_at": {"$gt": soon - CLAIM_SAFE, "$lt": soon}},
            {"$set": {"expires_at": soon}},
        )
        return {
            row["_id"]: _upload(row) async for row in self._rows.find({"_id": {"$in": ids}}, WITHOUT_PARTS)
        }

    async def keep(self, upload_ids: Sequence[str], submission_id: str) -> None:
        """Hold clean uploads for a submission, for good. Call it before the submission is stored.

        So a stored submission never points at media that expire. Repeating it changes nothing. Raises 422 `upload_unknown`
        when one has ended since it was claimed.
        """
        done = await self._rows.update_many(
            {"_id": {"$in": list(upload_ids)}, "state": "clean"},
            {"$addToSet": {"kept_by": submission_id}, "$unset": {"expires_at": ""}},
        )
        if done.matched_count < len(set(upload_ids)):
            raise _unknown(upload_ids[0])

    async def release(self, submission_id: str, now: datetime) -> None:
        """Let go of the uploads of a submission. Those that no other submission holds end; their files are swept away."""
        race = Race("these uploads")
        while held := await self._rows.find({"kept_by": submission_id}, {"kept_by": 1}).to_list(None):
            for row in held:
                left = [each for each in row["kept_by"] if each != submission_id]
                change: Document = {"$set": {"kept_by": left}}
                await self._rows.update_one(
                    {"_id": row["_id"], "kept_by": row["kept_by"]}, change if left else _let_go(now)
                )
            await race.lost()

    async def end_all(self, owner: str, now: datetime) -> None:
        """End every upload of a person that no submission holds."""
        query = {"owner": owner, "kept_by": [], "state": {"$ne": "gone"}}
        await self._rows.update_many(query, gone(now))

    async def of(self, owner: str) -> list[Upload]:
        """A person's uploads that have not ended, oldest first."""
        found = self._rows.find({"owner": owner, "state": {"$ne": "gone"}}, WITHOUT_PARTS)
        return [_upload(row) async for row in found.sort("created_at", 1)]


def gone(now: datetime) -> Document:
    """The update that ends an upload."""
    unset = {
        "due_at": "",
        "turn": "",
        "lease": "",
        "writer": "",
        "expires_at": "",
        "parts": "",
    }
    return {"$set": {"state": "gone", "gone_at": now}, "$unset": unset}


def _let_go(now: datetime) -> Document:
    ended = gone(now)
    return {**ended, "$set": {**ended["$set"], "kept_by": []}}


def _unknown(upload_id: str) -> Problem:
    text = "There is no such upload of yours; it may have expired. Upload the file again and use its new id."
    return Problem(422, "upload_unknown", text, upload_id=upload_id)


def _standing(upload: Upload) -> Document:
    return {"_id": upload.id, "offset": upload.offset, "state": "receiving"}


def _must_wait(upload_id: str, upload: Upload | None, owner: str) -> bool:
    """Whether the screening has not ended yet. Raises `Problem` where waiting would not help."""
    if upload is None or upload.owner != owner or upload.state == "gone":
        raise _unknown(upload_id)
    if upload.refusal is not None:
        raise Problem(422, upload.refusal.code, upload.refusal.detail, upload_id=upload_id)
    if upload.state == "receiving":
        text = (
            f"{upload.offset} of {upload.length} bytes have arrived. Finish the upload, then send this again."
        )
        raise Problem(409, "upload_incomplete", text, headers={"Retry-After": "5"}, upload_id=upload_id)
    return upload.state != "clean"


def _is_open(row: Document) -> bool:
    return row["state"] in OPEN_STATES and row.get("expires_at") is not None


def _row(upload: Upload) -> Document:
    return {
        "_id": upload.id,
        "owner": upload.owner,
        "length": upload.length,
        "filetype": upload.filetype,
        "created_at": upload.created_at,
        "expires_at": upload.expires_at,
        "offset": 0,
        "state": "receiving",
        "parts": [],
        "kept_by": [],
        "tries": 0,
        "crashes": 0,
    }


def _upload(row: Document) -> Upload:
    return Upload(
        id=row["_id"],
        owner=row["owner"],
        length=row["length"],
        filetype=row.get("filetype", ""),
        created_at=row["created_at"],
        expires_at=row.get("expires_at"),
        offset=row["offset"],
        state=row["state"],
        media=Media.model_validate(row["media"]) if "media" in row else None,
        refusal=MediaRefusal(**row["refusal"]) if "refusal" in row else None,
        kept_by=tuple(row["kept_by"]),
    )
