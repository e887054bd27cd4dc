"""The bytes of uploads on their way into quarantine, in pieces of a bounded size."""

import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final, NoReturn

from services.ingest.uploads import telemetry
from services.ingest.uploads.protocol import Checksum, Upload, UploadLimits
from services.ingest.uploads.store import Counted, Uploads, Writer
from shared.http.problems import Problem
from shared.storage.media import QUARANTINE, MediaStore, StorageFull

CHECKSUM_MISMATCH: Final = 460
"""tus's own status code."""


class Quarantine:
    """The stored pieces of all uploads."""

    def __init__(self, store: MediaStore) -> None:
        self._store = store

    async def write(self, upload_id: str, offset: int, data: bytes) -> str:
        """Store a piece under a name of its own; the name. Raises `StorageFull` and `Unavailable`."""
        name = f"{offset}-{secrets.token_hex(6)}"
        await self._store.put(f"{QUARANTINE}{upload_id}/{name}", data)
        return name

    def read(self, upload_id: str, name: str) -> AsyncIterator[bytes]:
        """A piece's bytes. Raises `FileNotFoundError`."""
        return self._store.stream(f"{QUARANTINE}{upload_id}/{name}")

    async def remove(self, upload_id: str, names: Sequence[str]) -> None:
        """Remove pieces; those that are not there are no failure."""
        for name in names:
            await self._store.delete(f"{QUARANTINE}{upload_id}/{name}")

    async def keep_only(self, upload_id: str, names: Sequence[str]) -> None:
        """Remove every other piece of an upload."""
        kept = {f"{QUARANTINE}{upload_id}/{name}" for name in names}
        for path in await self._store.list(f"{QUARANTINE}{upload_id}/"):
            if path not in kept:
                await self._store.delete(path)

    async def require_room(self, length: int, spare: int) -> None:
        """Whether so many bytes may come and leave room to everything else. Raises `StorageFull` when not."""
        free = await self._store.free()
        if free is not None and free - length < spare:
            raise StorageFull("the mark for uploads")

    async def remove_all(self, upload_id: str) -> None:
        """Remove every piece of an upload, counted or not."""
        for path in await self._store.list(f"{QUARANTINE}{upload_id}/"):
            await self._store.delete(path)

    async def all(self) -> dict[str, list[str]]:
        """The names of all pieces, by upload."""
        found: dict[str, list[str]] = {}
        for path in await self._store.list(QUARANTINE):
            upload_id, _, name = path.removeprefix(QUARANTINE).partition("/")
            found.setdefault(upload_id, []).append(name)
        return found


class Incoming:
    """One request's body. Without a checksum each full piece counts at once; with one, all of them or none."""

    def __init__(
        self,
        uploads: Uploads,
        quarantine: Quarantine,
        upload: Upload,
        checksum: Checksum | None,
        limits: UploadLimits,
    ) -> None:
        self._uploads, self._quarantine, self._upload = uploads, quarantine, upload
        self._checksum, self._hash = checksum, checksum.start() if checksum else None
        self._piece_bytes = limits.piece_bytes
        self._buffer = bytearray()
        self._pending: list[str] = []
        self._written = upload.offset
        self._writer = Writer(None, took_over=False)
        self.offset = upload.offset
        """How many bytes count."""

    async def begin(self) -> None:
        """Begin to write, and remove what somebody who lost the upload to us has left of it.

        Raises 409 `upload_conflict` when the upload does not stand where the body begins. So of an upload never more
        lies in the store than was announced, and one piece of each request that has not noticed yet that it lost.
        """
        writer = await self._uploads.begin_writing(self._upload, alone=self._checksum is not None)
        if writer is None:
            raise conflict()
        self._writer = writer
        if writer.took_over:
            await self._quarantine.keep_only(self._upload.id, await self._uploads.parts(self._upload))

    async def take(self, data: bytes) -> None:
        """Take some bytes. Raises 413 `upload_too_long`, and what `_count` raises."""
        if self._written + len(self._buffer) + len(data) > self._upload.length:
            raise too_long(self._upload)
        if self._hash is not None:
            self._hash.update(data)
        self._buffer += data
        while len(self._buffer) >= self._piece_bytes:
            await self._write(self._piece_bytes)

    async def finish(self) -> None:
        """The body has ended. Raises 460 `upload_checksum_mismatch`; then nothing of it counts."""
        await self._write(len(self._buffer))
        if (
            self._hash is not None
            and self._checksum is not None
            and self._hash.digest() != self._checksum.digest
        ):
            await self.drop()
            raise Problem(
                CHECKSUM_MISMATCH,
                "upload_checksum_mismatch",
                "The bytes that arrived are not those that were sent. Send the same piece again.",
            )
        await self._count(last=True)

    async def break_off(self) -> None:
        """The connection has ended early: what arrived counts, but for a body that can no longer be checked."""
        if self._checksum is None:
            await self._write(len(self._buffer))
        else:
            await self.drop()

    async def drop(self) -> None:
        """Remove what was written and does not count."""
        self._buffer.clear()
        await self._quarantine.remove(self._upload.id, self._pending)
        self._pending = []

    async def _write(self, count: int) -> None:
        if count == 0:
            return
        await self._require_writer()
        data = bytes(self._buffer[:count])
        self._pending.append(await self._quarantine.write(self._upload.id, self._written, data))
        del self._buffer[:count]
        self._written += count
        if self._checksum is None:
            await self._count()
        else:
            await self._require_writer()

    async def _require_writer(self) -> None:
        """What waits for its checksum does not lie here for longer than it is ours to write. Raises as `_count` does."""
        if self._checksum is not None and not await self._uploads.writes(self._upload, self._writer):
            await self._lose()

    async def _lose(self) -> NoReturn:
        await self.drop()
        telemetry.upload_conflicted(self._upload.id)
        raise conflict()

    async def _count(self, *, last: bool = False) -> None:
        """Move the offset over the pending pieces. Raises 409 `upload_conflict` when somebody else writes now."""
        if not self._pending:
            return
        counted = Counted(tuple(self._pending), self.offset, self._written, last=last)
        if not await self._uploads.advance(self._upload, self._writer, counted, datetime.now(UTC)):
            await self._lose()
        telemetry.upload_advanced(self._written - self.offset)
        self.offset, self._pending = self._written, []


def conflict() -> Problem:
    """The bytes do not belong where the upload stands."""
    text = "The upload stands at another offset. Ask for it with HEAD and go on from there."
    return Problem(409, "upload_conflict", text)


def too_long(upload: Upload) -> Problem:
    """More bytes than were announced."""
    text = (
        f"{upload.length} bytes were announced and more were sent. Begin a new upload with the right length."
    )
    return Problem(413, "upload_too_long", text)
