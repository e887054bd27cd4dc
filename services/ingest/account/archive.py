"""The file of everything that ingest holds of a person, made while it is sent: memory stays flat however large it is."""

import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from typing import Final

from shared.events import MediaType
from shared.storage.media import CLEAN, MediaStore

SUFFIXES: Final[Mapping[MediaType, str]] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
}


class _Outgoing:
    """What `zipfile` writes to: a file without an end that is emptied as it fills."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def taken(self) -> bytes:
        """What was written since."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


async def archive(
    documents: Mapping[str, object], media: Mapping[str, MediaType], store: MediaStore
) -> AsyncIterator[bytes]:
    """A ZIP of JSON documents by name, and of clean files by digest. A file that is gone meanwhile is left out."""
    out = _Outgoing()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:  # type: ignore[call-overload] # it only writes
        for name, content in documents.items():
            text = json.dumps(content, ensure_ascii=False, indent=2, default=str)
            file.writestr(name, text, zipfile.ZIP_DEFLATED)
            yield out.taken()
        for sha256, kind in media.items():
            async for piece in _member(file, out, f"media/{sha256}.{SUFFIXES[kind]}", store, sha256):
                yield piece
    yield out.taken()


async def _member(
    file: zipfile.ZipFile, out: _Outgoing, name: str, store: MediaStore, sha256: str
) -> AsyncIterator[bytes]:
    path = f"{CLEAN}{sha256}"
    if await store.size(path) is None:
        return
    with file.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
        async for piece in store.stream(path):
            member.write(piece)
            yield out.taken()
