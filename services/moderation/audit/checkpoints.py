"""The campaign's chain: from time to time the heads of the changed trails are sealed together.

A trail can be rewritten whole by who owns the database; a seal that lies elsewhere (printed, mailed, published)
then shows it, because every seal carries the hash of the one before and the heads of the trails under it.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import rfc8785

from services.moderation import telemetry
from services.moderation.cases.audit_trail import START
from shared.events import as_utc
from shared.storage.clock import DatabaseClock
from shared.storage.document import Document
from shared.storage.mongo import Collection, DuplicateKeyError

TOGETHER: Final = 500
"""Trails in one seal."""
FIELDS: Final = ("_id", "at", "heads", "prev", "hash")


def seal_hash(seal: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of a seal's canonical JSON without its hash."""
    return hashlib.sha256(rfc8785.dumps({k: v for k, v in seal.items() if k != "hash"})).hexdigest()


class Seals:
    """The campaign's chain, one document per seal, numbered from 1."""

    def __init__(self, seals: Collection, cases: Collection, clock: DatabaseClock) -> None:
        self._seals, self._cases, self._clock = seals, cases, clock
        self._last: Document | None = None

    async def every(self, seconds: float) -> None:
        """Seal what has changed, again and again."""
        while True:
            await self.drain()
            await asyncio.sleep(seconds)

    async def drain(self) -> None:
        """Seal all that is not sealed yet."""
        while await self.seal():
            pass

    async def seal(self) -> int:
        """Make one seal; how many trails went under it."""
        found = (
            await self._cases.find({"unsealed": True}, {"audit": {"$slice": -1}, "version": 1})
            .limit(TOGETHER)
            .to_list(None)
        )
        if not found:
            return 0
        heads = [
            {"case": each["_id"], "seq": each["audit"][-1]["seq"], "hash": each["audit"][-1]["hash"]}
            for each in sorted(found, key=lambda each: str(each["_id"]))
        ]
        number = await self._add(heads)
        for each in found:
            # One that changed meanwhile stays unsealed and goes under the next seal as well.
            await self._cases.update_one(
                {"_id": each["_id"], "version": each["version"]}, {"$unset": {"unsealed": ""}}
            )
        telemetry.sealed(number, len(found))
        return len(found)

    async def _add(self, heads: list[Document]) -> int:
        while True:
            last = await self.last()
            seal: Document = {
                "_id": last["_id"] + 1 if last else 1,
                "at": as_utc(await self._clock.now()),
                "prev": last["hash"] if last else START,
                "heads": heads,
            }
            seal["hash"] = seal_hash(seal)
            try:
                await self._seals.insert_one(seal)
            except DuplicateKeyError:
                continue
            self._last = seal
            return int(seal["_id"])

    async def last(self) -> Document | None:
        """The newest seal."""
        while (
            after := await self._seals.find_one({"_id": (self._last["_id"] if self._last else 0) + 1})
        ) is not None:
            self._last = after
        return self._last
