"""The upload side of ingest as a process of its own: real routes, store, jobs and sandbox, without bus and portal.

`python -m tests.servers.uploads <port> <database address> <database> <home> [screening] [room=<bytes>] [spare=<bytes>]`
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from services.ingest.media_safety.model import MediaLimits
from services.ingest.media_safety.sandbox import LocalSandbox
from services.ingest.uploads.chunks import Quarantine
from services.ingest.uploads.leases import Leases
from services.ingest.uploads.protocol import UploadLimits
from services.ingest.uploads.scan_job import Screening
from services.ingest.uploads.store import Uploads
from services.ingest.uploads.tus import routes
from shared.http import problems
from shared.identity.tokens import Epochs, Guard, OwnKeys, signing_key
from shared.storage.media import MediaStore, StorageFull
from shared.storage.mongo import connect

LEASE_SECONDS = 1.0
NO_MARK = -(1 << 40)
"""So that disks can be filled to the last byte."""


class Room(MediaStore):
    """A store with room for so many bytes, for machines where no small disk can be mounted."""

    def __init__(self, url: str, room: int) -> None:
        super().__init__(url)
        self._left = room

    async def put(self, path: str, data: bytes | Path | AsyncIterator[bytes]) -> None:
        assert isinstance(data, bytes)
        if len(data) > self._left:
            raise StorageFull(path)
        self._left -= len(data)
        await super().put(path, data)


async def nobody_is_known(_submissions: Sequence[str]) -> bool:
    return False


async def main(port: int, mongo_url: str, name: str, home: Path, *options: str) -> None:
    database = connect(mongo_url)[name]
    address = f"file://{home / 'media'}"
    rooms = [int(option.removeprefix("room=")) for option in options if option.startswith("room=")]
    store = Room(address, rooms[0]) if rooms else MediaStore(address)
    marks = [int(option.removeprefix("spare=")) for option in options if option.startswith("spare=")]
    limits = UploadLimits(spare_bytes=marks[0] if marks else NO_MARK)
    uploads, quarantine = Uploads(database, limits, nobody_is_known), Quarantine(store)
    leases = Leases(database, uploads, LEASE_SECONDS)
    screening = Screening(leases, quarantine, store, LocalSandbox(), home / "screening", MediaLimits())
    guard = Guard(OwnKeys(signing_key(home / "keys" / "tokens.pem").public_key()), Epochs(database["people"]))

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await uploads.prepare()
        job = asyncio.create_task(screening.run()) if "screening" in options else None
        yield
        if job is not None:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)

    app = FastAPI(lifespan=life)
    problems.install(app)
    app.include_router(routes(uploads, quarantine, guard, limits))
    behind = FastAPI()
    problems.install(behind)
    behind.include_router(routes(uploads, quarantine, guard, limits))
    app.mount("/api/ingest", behind)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=2))
    await server.serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]), *sys.argv[5:]))
