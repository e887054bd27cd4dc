"""The campaign's chain: from time to time a checkpoint takes in the heads of the trails that changed.

A trail can be rewritten whole by who owns the database; a checkpoint that lies elsewhere (printed, mailed, published)
then shows it, because every one carries the hash of the one before and the heads of the trails in it. Each is signed with
the key that signs decisions, which is not in the database.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.moderation import telemetry
from services.moderation.audit.head import seal_of
from services.moderation.audit.mark import UnsignedMark
from services.moderation.cases.audit_trail import MARKS, START
from shared.events import as_utc
from shared.storage.clock import DatabaseClock
from shared.storage.document import Document
from shared.storage.mongo import Collection, DuplicateKeyError, UpdateOne

TOGETHER: Final = 500
"""Trails in one checkpoint."""
FIELDS: Final = ("_id", "at", "heads", "prev", "hash")
"""Of a checkpoint from before signatures; the others have `signature` too."""
NOT_HASHED: Final = frozenset({"hash", "signature"})


def fitting(width: int, found: int) -> int:
    """How wide the next window is to be, after one that held so many."""
    if found > TOGETHER:
        return max(1, width // 2)
    return min(MARKS, width * 2) if found * 4 < TOGETHER else width


def checkpoint_hash(checkpoint: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of a checkpoint's canonical JSON without its hash and signature."""
    hashed = {name: value for name, value in checkpoint.items() if name not in NOT_HASHED}
    return hashlib.sha256(rfc8785.dumps(hashed)).hexdigest()


class Checkpoints:
    """The campaign's chain, one document per checkpoint, numbered from 1."""

    def __init__(
        self, checkpoints: Collection, cases: Collection, clock: DatabaseClock, key: Ed25519PrivateKey
    ) -> None:
        self._checkpoints, self._cases, self._clock = checkpoints, cases, clock
        self._key: Ed25519PrivateKey | None = key
        self._last: Document | None = None
        self._width = 1

    async def begin(self, mark: Path) -> None:
        """Note where signing began, where that is not noted yet; what is there by then is taken in unsigned before.

        Processes of a version without signatures must have ended: what they write later counts as forged.
        """
        if UnsignedMark.read(mark) is not None:
            return
        found = (
            await self._checkpoints.find({"signature": {"$exists": True}}).sort("_id", 1).limit(1).to_list(1)
        )
        if found:
            UnsignedMark(found[0]["_id"] - 1, found[0]["prev"]).write_once(mark)
            return
        key, self._key = self._key, None
        try:
            await self.drain()
        finally:
            self._key = key
        last = await self.last()
        UnsignedMark(*((last["_id"], last["hash"]) if last else ())).write_once(mark)

    async def every(self, seconds: float) -> None:
        """Take in what has changed, again and again."""
        while True:
            await self.drain()
            await asyncio.sleep(seconds)

    async def drain(self) -> int:
        """Take in all that changed since it was last taken in; how many trails that were.

        Marks are gone through from one end to the other in windows, so that a query reads few however many wait.
        A mark lies where its case's id puts it, and stays until it is taken away: no clock and no order of
        writers can put a case where nobody looks.
        """
        taken_in, start = 0, 0
        waiting = await self._changed({"unsealed": True})
        while start < MARKS:
            found = await self._changed({"unsealed": {"$gte": start, "$lt": start + self._width}})
            start += self._width
            self._width = fitting(self._width, len(found))
            waiting += found
            while len(waiting) >= TOGETHER:
                taken_in += await self._take_in(waiting[:TOGETHER])
                waiting = waiting[TOGETHER:]
        return taken_in + (await self._take_in(waiting) if waiting else 0)

    async def _changed(self, filter_: Document) -> list[Document]:
        shown = {"audit": {"$slice": -1}, "version": 1}
        return await self._cases.find(filter_, shown).to_list(None)

    async def _take_in(self, found: list[Document]) -> int:
        heads = [
            {"case": each["_id"], "seq": each["audit"][-1]["seq"], "hash": each["audit"][-1]["hash"]}
            for each in sorted(found, key=lambda each: str(each["_id"]))
        ]
        number = await self._add(heads)
        # One that changed meanwhile keeps its mark and goes into the next checkpoint as well.
        await self._cases.bulk_write(
            [
                UpdateOne({"_id": each["_id"], "version": each["version"]}, {"$unset": {"unsealed": ""}})
                for each in found
            ],
            ordered=False,
        )
        telemetry.sealed(number, len(found))
        return len(found)

    async def _add(self, heads: list[Document]) -> int:
        while True:
            last = await self.last()
            checkpoint: Document = {
                "_id": last["_id"] + 1 if last else 1,
                "at": as_utc(await self._clock.now()),
                "prev": last["hash"] if last else START,
                "heads": heads,
            }
            hashed = checkpoint["hash"] = checkpoint_hash(checkpoint)
            if self._key is not None:
                seal = seal_of(checkpoint["_id"], checkpoint["at"], hashed, self._key)
                checkpoint["signature"] = seal.document()
            try:
                await self._checkpoints.insert_one(checkpoint)
            except DuplicateKeyError:
                continue
            self._last = checkpoint
            return int(checkpoint["_id"])

    async def last(self) -> Document | None:
        """The newest checkpoint."""
        while (
            after := await self._checkpoints.find_one({"_id": (self._last["_id"] if self._last else 0) + 1})
        ) is not None:
            self._last = after
        return self._last
