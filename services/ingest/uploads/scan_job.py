"""The job that runs the safety pass over complete uploads, and what it writes of them.

An upload is leased: of several processes one screens it, and when that one dies the lease runs out and another does.
The verdict is a compare-and-set on the lease. Only then the pieces are removed.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

from services.ingest.media_safety.model import Cleaned, MediaLimits, MediaRefusal, MediaRefused, Verdict
from services.ingest.media_safety.sandbox import NotIsolated, Sandbox, WorkerFailed, make_safe
from services.ingest.uploads import telemetry
from services.ingest.uploads.chunks import Quarantine
from services.ingest.uploads.leases import Leases, UploadLease
from shared.concurrency.wake_up import woken
from shared.failures import Unavailable, attempt, keep_running
from shared.storage.media import CLEAN, MediaStore, StorageFull

AT_ONCE: Final = 2
IDLE_SECONDS: Final = 2.0
PAUSE: Final = timedelta(seconds=5)
MOST_CRASHES: Final = 3
"""A file that makes the worker end without a verdict this often is refused."""
MOST_TRIES: Final = 25
"""And so is one that never gets to a verdict for whatever reason, such as ending this process."""


class PutOff(Exception):
    """There can be no verdict now, through no fault of the file (or none that is certain yet)."""

    def __init__(self, reason: str, *, crashed: bool = False) -> None:
        self.crashed = crashed
        super().__init__(reason)


class Screening:
    """Screens what is due. `folder` holds the files that are being worked on."""

    def __init__(
        self,
        leases: Leases,
        quarantine: Quarantine,
        store: MediaStore,
        sandbox: Sandbox,
        folder: Path,
        limits: MediaLimits,
    ) -> None:
        self._leases, self._quarantine, self._store = leases, quarantine, store
        self._sandbox, self._folder, self._limits = sandbox, folder, limits

    async def run(self) -> None:
        """Screen for ever; a job of the service."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(keep_running("screening", self._work))

    async def _work(self) -> None:
        while True:
            arrived = self._leases.arrived.next()
            if not await self.step():
                await woken(arrived, IDLE_SECONDS)

    async def drain(self) -> None:
        """Screen until nothing is due."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while await self.step():
            pass

    async def step(self) -> bool:
        """Screen one upload, if one is due."""
        lease = await self._leases.take(secrets.token_hex(8), datetime.now(UTC))
        if lease is None:
            return False
        try:
            async with self._renewed(lease):
                await self._screen(lease)
        except asyncio.CancelledError:
            # The process is asked to end: let the next one take the upload at once.
            await attempt(self._leases.put_off(lease, datetime.now(UTC), crashed=False))
            raise
        return True

    async def _screen(self, lease: UploadLease) -> None:
        began = monotonic()
        with TemporaryDirectory(dir=self._folder, prefix=f"{lease.upload_id}-") as folder:
            try:
                verdict = await self._judge(lease, Path(folder))
            except PutOff as put_off:
                telemetry.screening_put_off(lease.upload_id, str(put_off))
                await self._leases.put_off(lease, datetime.now(UTC) + PAUSE, crashed=put_off.crashed)
                return
        if await self._leases.settle(lease, verdict):
            outcome = "clean" if isinstance(verdict, Cleaned) else verdict.code
            telemetry.media_screened(lease.upload_id, outcome, monotonic() - began)
            await self._quarantine.remove(lease.upload_id, lease.parts)

    async def _judge(self, lease: UploadLease, folder: Path) -> Verdict:
        """The verdict, its clean file stored. Raises `PutOff` when there can be none now."""
        if lease.tries > MOST_TRIES:
            return _refusal(MediaRefused("media_undecodable"))
        try:
            if not await self._assemble(lease, folder / "source"):
                return _refusal(
                    MediaRefused("media_truncated", "Part of the upload was lost. Send the whole file again.")
                )
            verdict = await make_safe(self._sandbox, folder / "source", folder / "clean", self._limits)
            if isinstance(verdict, Cleaned):
                await self._store_clean(lease, verdict, folder / "clean")
        except WorkerFailed as failure:
            if lease.crashes + 1 >= MOST_CRASHES:
                return _refusal(MediaRefused("media_undecodable"))
            raise PutOff(str(failure), crashed=True) from failure
        except (NotIsolated, StorageFull, Unavailable, OSError) as error:
            raise PutOff(f"{type(error).__name__}: {error}") from error
        return verdict

    async def _assemble(self, lease: UploadLease, source: Path) -> bool:
        """Whether all pieces were there to be put together."""
        with source.open("wb") as file:
            for name in lease.parts:
                try:
                    async for data in self._quarantine.read(lease.upload_id, name):
                        await asyncio.to_thread(file.write, data)
                except FileNotFoundError:
                    return False
        return True

    async def _store_clean(self, lease: UploadLease, cleaned: Cleaned, made: Path) -> None:
        """Store the clean file under its hash, unless it lies there already."""
        await self._leases.intend(lease, cleaned.sha256)
        path = f"{CLEAN}{cleaned.sha256}"
        if await self._store.size(path) != cleaned.bytes:
            await self._store.put(path, made)

    @asynccontextmanager
    async def _renewed(self, lease: UploadLease) -> AsyncIterator[None]:
        """The lease stays ours while the block runs."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(self._leases.seconds / 3)
                await attempt(self._leases.renew(lease, datetime.now(UTC)))

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)


def _refusal(refused: MediaRefused) -> MediaRefusal:
    return MediaRefusal(refused.code, refused.detail)
