"""Clicks on their way to the bus: first to the disk, then published under their constant ids until confirmed.

A redirect must not depend on the database or the bus, so the outbox of clicks is not a document but a file. Many clicks
share one write and one sync. A click is lost only with the disk, and then it is said so. Each process has a folder of its
own, held by a lock that goes with the process; the folder of one that is gone is taken over by the next that starts, or
emptied by one that runs.
"""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.metrics import telemetry
from shared.concurrency.wake_up import woken
from shared.events import ReachClicked
from shared.failures import Failure, attempt

SEGMENT_BYTES: Final = 4 << 20
PAGE: Final = 200
"""Clicks published at once."""
WAITING_LIMIT: Final = 20_000
"""Clicks that may wait for the disk; beyond, they are lost and said to be."""
POLL_SECONDS: Final = 1.0
FOLDERS: Final = 256
_POSITION: Final = "position"

Publish = Callable[[ReachClicked], Awaitable[None]]


class Folder:
    """One process's folder of segments. A line without its end was cut by a crash and never promised."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path, self._lock = path, lock
        self._current: int | None = None
        self._number = max((int(one.stem) for one in self.segments()), default=0)
        self._length = 0

    @classmethod
    def claim(cls, path: Path) -> "Folder | None":
        """The folder, if no living process holds it."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        return cls(path, lock)

    def release(self) -> None:
        """Let another process have it."""
        if self._current is not None:
            os.close(self._current)
            self._current = None
        os.close(self._lock)

    def segments(self) -> list[Path]:
        """The files, oldest first."""
        return sorted(self.path.glob("*.jsonl"))

    def write(self, lines: bytes) -> None:
        """Put whole lines on the disk. Raises `OSError` when it takes none; what was written of them then is cut off."""
        if self._current is None or self._length > SEGMENT_BYTES:
            self._open_segment()
        assert self._current is not None  # noqa: S101 - just opened
        try:
            view = memoryview(lines)
            while view:
                view = view[os.write(self._current, view) :]
            os.fdatasync(self._current)
        except OSError:
            os.ftruncate(self._current, self._length)
            os.lseek(self._current, self._length, os.SEEK_SET)
            raise
        self._length += len(lines)

    def _open_segment(self) -> None:
        if self._current is not None:
            os.close(self._current)
            self._current = None
        self._number += 1
        path = self.path / f"{self._number:08d}.jsonl"
        self._current = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        folder = os.open(self.path, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        self._length = 0

    def next_page(self) -> tuple[list[bytes], Path, int] | None:
        """The oldest lines not yet confirmed, with their segment and where they end; none when there are none."""
        for segment in self.segments():
            offset = self._confirmed(segment)
            with segment.open("rb") as file:
                file.seek(offset)
                lines: list[bytes] = []
                for line in file:
                    if not line.endswith(b"\n") or len(lines) == PAGE:
                        break
                    lines.append(line)
            if lines:
                return lines, segment, offset + sum(len(line) for line in lines)
            if int(segment.stem) < self._number:
                segment.unlink()
        return None

    def clear(self) -> None:
        """Everything in it is in the stream: leave nothing behind."""
        for segment in self.segments():
            segment.unlink()
        (self.path / _POSITION).unlink(missing_ok=True)

    def confirm(self, segment: Path, offset: int) -> None:
        """Everything in this segment up to here is in the stream. Not synced: published again, it changes nothing."""
        (self.path / _POSITION).write_text(f"{segment.stem} {offset}", encoding="ascii")

    def _confirmed(self, segment: Path) -> int:
        try:
            stem, offset = (self.path / _POSITION).read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return 0
        return int(offset) if stem == segment.stem else 0


class Spool:
    """The clicks of this process, and of those that are gone."""

    def __init__(self, root: Path, publish: Publish) -> None:
        self._root, self._publish = root, publish
        self._folder: Folder | None = None
        self._queue: list[tuple[bytes, asyncio.Future[bool]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._waiting = 0

    def _own(self) -> Folder:
        # Called in the loop alone: two threads would claim two folders.
        if self._folder is None:
            for number in range(FOLDERS):
                self._folder = Folder.claim(self._root / f"clicks-{number:03d}")
                if self._folder is not None:
                    break
            else:
                text = f"all {FOLDERS} folders of {self._root} are in use"
                raise OSError(text)
        return self._folder

    async def add(self, click: ReachClicked) -> bool:
        """Write a click to the disk, together with others that come now. False when it is lost."""
        if len(self._queue) >= WAITING_LIMIT:
            telemetry.clicks_lost(1, "too many wait for the disk")
            return False
        try:
            self._own()
        except OSError as error:
            telemetry.clicks_lost(1, str(error))
            return False
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((click.model_dump_json().encode() + b"\n", written))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await asyncio.shield(written)

    async def _flush(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            lines = b"".join(line for line, _ in batch)
            try:
                await asyncio.to_thread(self._own().write, lines)
            except OSError as error:
                telemetry.clicks_lost(len(batch), str(error))
                stored = False
            else:
                stored = True
                self._waiting += len(batch)
                telemetry.spooled(self._waiting)
            for _, written in batch:
                if not written.done():
                    written.set_result(stored)
            self._wake.set()

    async def run(self) -> None:
        """Publish for ever: what was just written, and what processes before us have left."""
        await self._take_over()
        while True:
            await self.drain()
            if not await woken(self._wake, POLL_SECONDS * 10):
                await self._take_over()
            self._wake.clear()

    async def drain(self) -> None:
        """Publish everything there is. Raises what kept a click from being published."""
        if self._folder is None and not self._root.is_dir():
            return
        await self._empty(self._own())
        self._waiting = 0
        telemetry.spooled(0)

    async def _empty(self, folder: Folder) -> None:
        while (page := await asyncio.to_thread(folder.next_page)) is not None:
            lines, segment, end = page
            clicks = [click for click in map(_parsed, lines) if click is not None]
            results = await asyncio.gather(*(attempt(self._publish(click)) for click in clicks))
            for result in results:
                if isinstance(result, Failure):
                    raise result.error
            await asyncio.to_thread(folder.confirm, segment, end)

    async def _take_over(self) -> None:
        """Publish what lies in folders that no process holds any more."""
        mine = self._own().path
        for path in sorted(self._root.glob("clicks-*")):
            folder = None if path == mine else Folder.claim(path)
            if folder is not None:
                try:
                    await self._empty(folder)
                    folder.clear()
                finally:
                    folder.release()

    async def close(self) -> None:
        """Write what waits, and let the folder go."""
        if self._flushing is not None:
            await self._flushing
        if self._folder is not None:
            self._folder.release()
            self._folder = None


def _parsed(line: bytes) -> ReachClicked | None:
    try:
        return ReachClicked.model_validate_json(line)
    except ValidationError as error:
        telemetry.clicks_lost(1, f"unreadable line in the spool: {error.error_count()} mistakes")
        return None
