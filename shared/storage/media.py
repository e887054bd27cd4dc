"""The object store: a folder on one machine, a bucket on many. Three prefixes: `quarantine/`, `clean/`, `site/`."""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from shared.failures import Unavailable

QUARANTINE: Final = "quarantine/"
CLEAN: Final = "clean/"
SITE: Final = "site/"
CHUNK: Final = 1 << 20
PART: Final = 5 << 20
PARTS_AT_ONCE: Final = 1
"""A large object goes out in parts of 5 MiB (the least that S3 takes), so few at once that memory stays flat."""


class StorageFull(Exception):
    """There is no room left; nothing was stored under the path."""


class MediaStore:
    """Whole objects by path. An object is there completely or not at all.

    Raises `StorageFull`, or `Unavailable` for any other failure of the store; `FileNotFoundError` for a missing object.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = Path(parts.path) if parts.scheme == "file" else None
        if self._folder is not None:
            self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._store: ObjectStore = LocalStore(self._folder)
        else:
            self._store = from_url(url)

    async def put(self, path: str, data: bytes | Path | AsyncIterator[bytes]) -> None:
        """Store an object under `path`, replacing what is there."""
        try:
            if self._folder is not None and isinstance(data, Path):
                await asyncio.to_thread(_copy, data, self._folder / path)
            else:
                await obstore.put_async(
                    self._store, path, data, chunk_size=PART, max_concurrency=PARTS_AT_ONCE
                )
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / path)
        except (BaseError, OSError) as error:
            raise _meaning(error) from error

    async def copy(self, source: str, target: str) -> None:
        """Store the object `source` under `target` too, inside the store: nothing passes through this process."""
        try:
            await obstore.copy_async(self._store, source, target)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / target)
        except (BaseError, OSError) as error:
            raise _meaning(error) from error

    async def get(self, path: str) -> bytes:
        """The whole object."""
        try:
            answer = await obstore.get_async(self._store, path)
            return bytes(await answer.bytes_async())
        except (BaseError, OSError) as error:
            raise _meaning(error) from error

    async def stream(self, path: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The object's bytes from `start` until before `end`, in pieces of at most 1 MiB."""
        size = await self.size(path)
        if size is None:
            raise FileNotFoundError(path)
        stop = size if end is None else min(end, size)
        while start < stop:
            upto = min(start + CHUNK, stop)
            try:
                piece = bytes(await obstore.get_range_async(self._store, path, start=start, end=upto))
            except (BaseError, OSError) as error:
                raise _meaning(error) from error
            yield piece
            start = upto

    async def size(self, path: str) -> int | None:
        """The object's size in bytes; `None` when there is none."""
        try:
            return int((await obstore.head_async(self._store, path))["size"])
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _meaning(error) from error

    async def free(self) -> int | None:
        """Bytes that are free where objects lie; `None` for a store that does not say."""
        return (
            None if self._folder is None else (await asyncio.to_thread(shutil.disk_usage, self._folder)).free
        )

    async def delete(self, path: str) -> None:
        """Remove an object. One that is not there is no failure."""
        try:
            await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise _meaning(error) from error

    async def list(self, prefix: str) -> list[str]:
        """The paths below a prefix, sorted."""
        found: list[str] = []
        try:
            async for page in obstore.list(self._store, prefix.rstrip("/")):
                found += [str(entry["path"]) for entry in page]
        except (BaseError, OSError) as error:
            raise _meaning(error) from error
        return sorted(found)


def _meaning(error: Exception) -> Exception:
    if isinstance(error, FileNotFoundError):
        return error
    if "No space left" in str(error) or "os error 28" in str(error) or "quota" in str(error).lower():
        return StorageFull(str(error)[:200])
    return Unavailable(f"the object store ({str(error)[:200]})")


def _copy(source: Path, target: Path) -> None:
    """Copy inside the kernel, under a name that listings leave out, then rename: there completely or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}#{secrets.randbits(32)}")
    try:
        shutil.copyfile(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """What is acknowledged survives a power cut: the file's bytes and its name."""
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
