"""Processes that insert through a log and die, or stand still, at the point they are told.

`python -m tests.faults.inserting <mongo> <nats>` reads lines `<database> <point>` and forks a process for each. That one
prints `stored <id>` for what a caller would be told is stored, and `standing` before it stops itself; when it is dead,
`ended` is printed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from nats.aio.client import Client as NatsClient
from pymongo.errors import NetworkTimeout

from shared.bus.consuming import Publisher
from shared.bus.outbox import entry, publish_entry
from shared.bus.outbox_log import LogPace, OutboxLog
from shared.events import REACH_CLICKED, ReachClicked
from shared.storage.document import Document
from shared.storage.mongo import connect

NAMESPACE: Final = UUID("00000000-0000-0000-0000-0000000000b1")
BATCHES: Final = 6
EACH: Final = 4
AT_THE: Final = 3
"""The point is passed so often before it strikes: what came before is on its way or done."""
PACE: Final = LogPace(checkpoint=0.02, renewal=0.2, stale=0.5, lease=1.0, scans=(1.0, 3.0))
POINTS: Final = (
    "before the insert",
    "in the insert",
    "after the insert",
    "after the answer",
    "in publishing",
    "after publishing",
    "before the checkpoint",
    "after the checkpoint",
    "after an insert of unknown outcome",
)
STANDING: Final = "standing still before the insert, then after it"


def events_of(document: Document) -> list[Document]:
    event = ReachClicked(
        event_id=uuid5(NAMESPACE, document["_id"]),
        occurred_at=document["at"],
        subject_id=document["_id"],
        version=1,
        code="aaaaaaaaaa",
    )
    return [entry(REACH_CLICKED, event)]


class Fate:
    """Strikes when its point is passed the third time."""

    def __init__(self, point: str) -> None:
        self.point, self._passed = point, 0

    def reached(self, point: str) -> bool:
        self._passed += point == self.point
        return point == self.point and self._passed == AT_THE

    def passes(self, point: str) -> None:
        if self.reached(point):
            os.kill(os.getpid(), signal.SIGKILL)

    async def in_the_middle_of(self, point: str, call: Any) -> Any:
        task = asyncio.ensure_future(call)
        if self.reached(point):
            await asyncio.sleep(0.001)  # sent, and on its way
            os.kill(os.getpid(), signal.SIGKILL)
        return await task


class Things:
    """The documents' collection, deadly at its inserts."""

    def __init__(self, real: Any, fate: Fate) -> None:
        self._real, self._fate = real, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def insert_many(self, documents: Sequence[Document], ordered: bool = True) -> Any:
        self._fate.passes("before the insert")
        if standing := self._fate.reached(STANDING):
            print("standing", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
        call = self._real.insert_many(documents, ordered=ordered)
        answer = await self._fate.in_the_middle_of("in the insert", call)
        if standing:
            os.kill(os.getpid(), signal.SIGKILL)
        self._fate.passes("after the insert")
        if self._fate.reached("after an insert of unknown outcome"):
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGKILL)
            raise NetworkTimeout("the answer was lost")
        return answer


class Checkpoints(Things):
    """The checkpoints' collection, deadly at its writes."""

    async def update_one(self, *arguments: Any, **options: Any) -> Any:
        self._fate.passes("before the checkpoint")
        done = await self._real.update_one(*arguments, **options)
        self._fate.passes("after the checkpoint")
        return done


def log_of(database: Any, publish: Callable[[Document], Any], fate: Fate | None = None) -> OutboxLog:
    things, checkpoints = database["things"], database["checkpoints"]
    if fate is not None:
        things, checkpoints = Things(things, fate), Checkpoints(checkpoints, fate)
    return OutboxLog(things, checkpoints, events_of=events_of, publish=publish, pace=PACE)


async def life(mongo: str, nats: str, database: str, point: str) -> None:
    """Insert until death comes."""
    fate, link = Fate(point), NatsClient()
    await link.connect(nats)
    publisher = Publisher(link)

    async def publish(item: Document) -> None:
        await fate.in_the_middle_of("in publishing", publish_entry(publisher, item))
        fate.passes("after publishing")

    log = log_of(connect(mongo)[database], publish, fate)
    running = asyncio.create_task(log.run())
    number = 0
    while not running.done():
        batch: list[Document] = [
            {"_id": f"{database}-{number}-{each}", "at": "2026-03-01T12:00:00Z"} for each in range(EACH)
        ]
        number += 1
        for document, stored in zip(batch, await log.insert(batch), strict=True):
            if stored is True:
                print("stored", document["_id"], flush=True)
        fate.passes("after the answer")
        await asyncio.sleep(0.02)
    await running


def main(mongo: str, nats: str) -> None:
    for line in sys.stdin:
        database, point = line.rstrip("\n").split(" ", 1)
        pid = os.fork()
        if pid == 0:
            asyncio.run(life(mongo, nats, database, point))
            os._exit(1)
        print("process", pid, flush=True)
        os.waitpid(pid, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
