"""Removes what nobody holds: expired uploads, pieces that never counted, clean files without an upload.

And what a killed process left on its workbench.
"""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from services.ingest.uploads import telemetry
from services.ingest.uploads.chunks import Quarantine
from services.ingest.uploads.protocol import piece_offset
from services.ingest.uploads.store import gone
from shared.storage.document import Document
from shared.storage.media import CLEAN, MediaStore
from shared.storage.mongo import Collection, Database, DuplicateKeyError

EVERY_SECONDS: Final = 60.0
PAGE: Final = 100
REMEMBERED: Final = timedelta(days=7)
"""For how long an ended upload is answered with 410 rather than 404."""
STALE: Final = timedelta(minutes=10)
"""A removal, or a pass, begun longer ago was left by a process that died."""
ALIVE: Final = frozenset({"receiving", "complete", "screening"})


class Sweep:
    """One pass is `once`; running it twice, or in two processes, removes nothing more."""

    def __init__(self, database: Database, quarantine: Quarantine, store: MediaStore, workshop: Path) -> None:
        self._rows: Collection = database["uploads"]
        self._removals: Collection = database["media_removals"]
        self._quarantine, self._store, self._workshop = quarantine, store, workshop

    async def run(self) -> None:
        """Sweep for ever; a job of the service."""
        while True:
            await self.once(datetime.now(UTC))
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self, now: datetime) -> None:
        """Remove all that nobody holds at `now`."""
        await self._expire(now)
        await self._remove_orphans()
        await self._finish_ended(now)
        await asyncio.to_thread(_clear, self._workshop, now)

    async def _expire(self, now: datetime) -> None:
        query = {"expires_at": {"$lt": now}}
        async for row in self._rows.find(query, {"expires_at": 1}).limit(PAGE):
            done = await self._rows.update_one(
                {"_id": row["_id"], "expires_at": row["expires_at"]}, gone(now)
            )
            if done.matched_count:
                telemetry.upload_ended(row["_id"], "expired")

    async def _remove_orphans(self) -> None:
        """Remove pieces that will never count.

        The offset only rises and a piece can count only from it on, so a piece below it that is not counted is lost for
        good. One at or above it may belong to a request that is under way.
        """
        for upload_id, names in (await self._quarantine.all()).items():
            row = await self._rows.find_one({"_id": upload_id}, {"state": 1, "offset": 1, "parts": 1})
            lost = orphans(row, names)
            if lost:
                await self._quarantine.remove(upload_id, lost)
                telemetry.swept("piece", len(lost))

    async def _finish_ended(self, now: datetime) -> None:
        """Remove the clean files of ended uploads, then, after a week, the memory of them."""
        async for row in self._rows.find(
            {"gone_at": {"$lt": now + timedelta(seconds=1)}, "sha256": {"$gt": ""}}
        ).limit(PAGE):
            if await self._remove_clean(row["sha256"], now):
                await self._rows.update_one({"_id": row["_id"]}, {"$unset": {"sha256": "", "media": ""}})
        await self._rows.delete_many({"gone_at": {"$lt": now - REMEMBERED}, "sha256": None})

    async def _remove_clean(self, sha256: str, now: datetime) -> bool:
        """Remove a clean file that no living upload names; whether that is settled. See `Leases.intend`."""
        if not await self._mark(sha256, now):
            return False
        try:
            holders = await self._rows.count_documents({"sha256": sha256, "state": {"$ne": "gone"}}, limit=1)
            if holders == 0:
                await self._store.delete(f"{CLEAN}{sha256}")
                telemetry.swept("clean", 1)
        finally:
            await self._removals.delete_one({"_id": sha256, "at": now})
        return True

    async def _mark(self, sha256: str, now: datetime) -> bool:
        """Mark a removal as ours, unless another process is at it."""
        await self._removals.delete_one({"_id": sha256, "at": {"$lt": now - STALE}})
        try:
            await self._removals.insert_one({"_id": sha256, "at": now})
        except DuplicateKeyError:
            return False
        return True


def _clear(workshop: Path, now: datetime) -> None:
    """Remove the files of passes that a process left behind when it was killed: they still hold metadata."""
    if not workshop.is_dir():
        return
    for folder in workshop.iterdir():
        try:
            changed = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
        except FileNotFoundError:
            continue
        if changed < (now - STALE).timestamp():
            shutil.rmtree(folder, ignore_errors=True)
            telemetry.swept("workshop", 1)


def orphans(row: Document | None, names: list[str]) -> list[str]:
    """Which pieces of an upload will never count. Pure."""
    if row is None or row["state"] not in ALIVE:
        return names
    counted = frozenset(row["parts"])
    return [name for name in names if name not in counted and piece_offset(name) < row["offset"]]
