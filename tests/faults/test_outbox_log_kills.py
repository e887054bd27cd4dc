"""A process is killed at each point between an insert and its checkpoint: nothing is lost, nothing is published twice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from shared.bus.consuming import Publisher, connection
from shared.bus.outbox import publish_entry
from shared.events import REACH_CLICKED
from shared.storage.document import Document
from shared.storage.mongo import Database, connect
from tests.faults.inserting import EACH, POINTS, STANDING, events_of, log_of
from tests.support.processes import within
from tests.support.running import provisioned, settings_for

STREAM = REACH_CLICKED.stream


class Inserters:
    """Processes that are made by one that has read the code once."""

    def __init__(self, parent: asyncio.subprocess.Process) -> None:
        self._parent = parent

    async def begin(self, database: str, point: str) -> int:
        """Start one; its process id."""
        assert self._parent.stdin is not None
        self._parent.stdin.write(f"{database} {point}\n".encode())
        return int((await self.said("process"))[-1].split()[1])

    async def said(self, last: str) -> list[str]:
        """All lines up to one that begins with this word."""
        assert self._parent.stdout is not None
        lines: list[str] = []
        async with within(120):
            while not lines or not lines[-1].startswith(last):
                line = await self._parent.stdout.readline()
                assert line, lines
                lines.append(line.decode().rstrip())
        return lines


@pytest.fixture
async def inserters(mongo_url: str, nats_url: str) -> AsyncIterator[Inserters]:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.inserting", mongo_url, nats_url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    yield Inserters(parent)
    parent.stdin.close()  # type: ignore[union-attr]  # it is a pipe
    await parent.wait()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with within(60):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_wherever_a_process_is_killed_exactly_what_is_stored_is_published_and_once(
    tmp_path: Path, mongo_url: str, nats_url: str, inserters: Inserters
) -> None:
    settings = settings_for(tmp_path, nats_url=nats_url, mongo_url=mongo_url)
    await provisioned(settings)
    link, client = await connection(settings, name="test"), connect(mongo_url)
    publish = partial(publish_entry, Publisher(link))
    stream = link.jetstream()

    async def published(since: int) -> list[str]:
        last = (await stream.stream_info(STREAM)).state.last_seq
        found = [await stream.get_msg(STREAM, sequence) for sequence in range(since + 1, last + 1)]
        return sorted((message.headers or {}).get("Nats-Msg-Id", "") for message in found)

    async def owed(database: Database) -> list[str]:
        found = await database["things"].find({}).to_list(None)
        return sorted(events_of(each)[0]["event_id"] for each in found)

    async def adopted(database: Database, left: Document) -> None:
        """Another process is there until no checkpoint is like this."""
        other = log_of(database, publish)

        async def done() -> bool:
            await other.adopt()
            return await database["checkpoints"].count_documents(left) == 0

        await until(done)

    for point in (*POINTS, STANDING):
        name = f"test_{uuid4().hex[:12]}"
        database = client[name]
        before = (await stream.stream_info(STREAM)).state.last_seq
        pid = await inserters.begin(name, point)
        told: list[str] = []
        if point == STANDING:
            told += await inserters.said("standing")
            await adopted(database, {"scans": 0})
            os.kill(pid, signal.SIGCONT)
        told += await inserters.said("ended")
        await adopted(database, {})

        stored = {each["_id"] for each in await database["things"].find({}).to_list(None)}
        assert {line.split()[1] for line in told if line.startswith("stored")} <= stored, point
        assert len(stored) >= EACH, point
        assert await published(before) == await owed(database), point
        await client.drop_database(name)
    await client.close()
    await link.close()
