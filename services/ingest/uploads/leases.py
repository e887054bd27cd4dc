"""Who is screening which upload: leased rows of complete uploads, verdicts by compare-and-set on the lease."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.ingest.media_safety.model import Cleaned, Verdict
from services.ingest.uploads.store import Uploads
from shared.concurrency.wake_up import WakeUp
from shared.events import Media
from shared.failures import Unavailable
from shared.storage.mongo import Collection, Database

LEASE_SECONDS: Final = 15.0
WINDOW: Final = 8


@dataclass(frozen=True, slots=True)
class UploadLease:
    """The right to screen one upload, for as long as it is renewed."""

    upload_id: str
    token: str
    parts: tuple[str, ...]
    tries: int
    crashes: int


class Leases:
    """The uploads that wait for their screening. They carry `due_at`: when they may be taken."""

    def __init__(self, database: Database, uploads: Uploads, seconds: float = LEASE_SECONDS) -> None:
        self._rows: Collection = database["uploads"]
        self._removals: Collection = database["media_removals"]
        self._screened = uploads.screened
        self.arrived: WakeUp = uploads.arrived
        self.seconds = seconds

    async def take(self, token: str, now: datetime) -> UploadLease | None:
        """Lease the upload whose turn it is, if one is due: each owner's first before anybody's second."""
        due = (
            await self._rows.find({"due_at": {"$lte": now}}, {"due_at": 1})
            .sort([("turn", 1), ("due_at", 1)])
            .limit(WINDOW)
            .to_list(WINDOW)
        )
        for row in due:
            won = await self._rows.update_one(
                {"_id": row["_id"], "due_at": row["due_at"]},
                {
                    "$set": {"state": "screening", "lease": token, "due_at": self._until(now)},
                    "$inc": {"tries": 1},
                },
            )
            if won.matched_count == 1:
                found = await self._rows.find_one({"_id": row["_id"], "lease": token})
                if found is not None:
                    return UploadLease(
                        found["_id"], token, tuple(found["parts"]), found["tries"], found["crashes"]
                    )
        return None

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.seconds)

    async def renew(self, lease: UploadLease, now: datetime) -> None:
        """Hold a lease longer. One that was lost stays lost: its verdict will not count."""
        await self._rows.update_one(_held(lease), {"$set": {"due_at": self._until(now)}})

    async def put_off(self, lease: UploadLease, until: datetime, *, crashed: bool) -> None:
        """Give a lease back, to be taken again at `until`."""
        await self._rows.update_one(
            _held(lease),
            {
                "$set": {"due_at": until, "state": "complete"},
                "$unset": {"lease": ""},
                "$inc": {"crashes": int(crashed)},
            },
        )

    async def intend(self, lease: UploadLease, sha256: str) -> None:
        """Announce that a clean file is about to be stored.

        Raises `Unavailable` when the lease was lost, and while the same file is being removed.

        The announcement comes before the look at the removals, and the remover marks a removal before it looks at the
        announcements: at least one of the two sees the other.
        """
        done = await self._rows.update_one(_held(lease), {"$set": {"sha256": sha256}})
        if done.matched_count == 0:
            raise Unavailable("the lease: another process has it, or the upload has ended")
        if await self._removals.find_one({"_id": sha256}) is not None:
            raise Unavailable("the clean file: it is being removed")

    async def settle(self, lease: UploadLease, verdict: Verdict) -> bool:
        """Write the verdict, unless the lease was lost."""
        if isinstance(verdict, Cleaned):
            media = Media(
                sha256=verdict.sha256,
                type=verdict.type,
                bytes=verdict.bytes,
                width=verdict.width,
                height=verdict.height,
                duration=verdict.duration,
            )
            fields = {"state": "clean", "media": media.model_dump(mode="json", exclude={"alt"})}
        else:
            fields = {"state": "refused", "refusal": {"code": verdict.code, "detail": verdict.detail}}
        done = await self._rows.update_one(
            _held(lease), {"$set": fields, "$unset": {"lease": "", "due_at": "", "turn": "", "parts": ""}}
        )
        if done.matched_count == 0 and isinstance(verdict, Cleaned):
            # The upload may have ended after its file was stored: name the file there, so that it is swept away.
            await self._rows.update_one(
                {"_id": lease.upload_id, "state": "gone"}, {"$set": {"sha256": verdict.sha256}}
            )
        self._screened.call()
        return done.matched_count == 1


def _held(lease: UploadLease) -> dict[str, str]:
    return {"_id": lease.upload_id, "lease": lease.token}
