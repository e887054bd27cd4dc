"""A stack under measurement: its people, what its processes use, and how much of its work is still to be done."""

import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import httpx
from nats.aio.client import Client as Link

from shared.bus.consuming import connection
from shared.bus.streams import CONSUMERS
from shared.settings import Settings
from tests.bench.load import Caller
from tests.support.people import Line, Staff, Volunteer, campaign
from tests.support.processes import Server, free_port
from tests.support.stack import Stack, stack

ITEM: Final = {
    "title": "A measured submission",
    "body": "A paragraph of ordinary length. " * 20,
    "language": "en",
    "country": "AZ",
    "attribution": {"mode": "anonymous"},
    "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
}
UNLIMITED: Final = {
    f"KONULLU_INGEST_{what}_{per}": "100000000"
    for what in ("SUBMISSIONS", "REQUESTS")
    for per in ("AT_ONCE", "PER_HOUR")
}
DRAIN_SECONDS: Final = 240.0


def resident_mb(pid: int) -> float:
    """A process's memory now."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


@dataclass
class Measured:
    """A stack with somebody who sends and somebody who decides."""

    stack: Stack
    folder: Path
    line: Line
    link: Link
    author: Volunteer
    moderator: Staff
    accepted: int = 0
    """How many submissions this measurement knows to be accepted."""

    def service(self, name: str) -> str:
        """A service's own address, without the gateway."""
        return f"http://127.0.0.1:{self.stack.port(name)}"

    def caller(self, name: str) -> Caller:
        """Calls to one service."""
        return Caller(self.service(name))

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time used so far, by process."""
        return self.stack.cpu()

    async def backlog(self) -> int:
        """Messages that some service has still to handle or to acknowledge."""
        waiting, stream = 0, self.link.jetstream()
        for consumer in CONSUMERS:
            info = await stream.consumer_info(consumer.topic.stream, consumer.durable)
            waiting += (info.num_pending or 0) + (info.num_ack_pending or 0)
        return waiting

    async def drained(self) -> float:
        """Wait until everything accepted is handled and counted; the seconds it took. Raises `TimeoutError`."""
        began = perf_counter()
        calm, finished = 0, 0.0
        async with asyncio.timeout(DRAIN_SECONDS):
            while calm < 2:
                counted = ((await campaign(self.line))["submissions"] or {}).get("value", 0)
                done = counted >= self.accepted and not await self.backlog()
                calm = calm + 1 if done else 0
                if calm == 1:
                    finished = perf_counter() - began
                await asyncio.sleep(0.1)
        return finished


@asynccontextmanager
async def measured(**environment: str) -> AsyncIterator[Measured]:
    """A stack of this measurement's own, with one submission accepted and handled."""
    with tempfile.TemporaryDirectory(prefix="konullu-bench-") as name, _built(name, environment) as built:
        line = Line(built.url)
        link = await connection(built.operator(), name="bench")
        author = await Volunteer.register(line, name="Bench", country="AZ", languages=["en"])
        moderator = Staff(line, await asyncio.to_thread(built.staff, "moderator", "Bench"))
        on = Measured(built, Path(name), line, link, author, moderator)
        await author.submit(ITEM)
        on.accepted = 1
        await on.drained()
        yield on
        await link.close()
        await line.close()


@contextmanager
def _built(folder: str, environment: Mapping[str, str]) -> Iterator[Stack]:
    with stack(Path(folder), environment={**UNLIMITED, **environment}) as built:
        yield built


def settings_of(built: Stack, service: str = "ingest") -> Settings:
    """The settings of a service of this stack, read from its environment and not from ours."""
    pid = built.pids()[service]
    told = dict(
        part.split("=", 1) for part in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in part
    )
    named = {"mongo": "MONGO_URL", "nats": "NATS_URL", "nats_credentials": "NATS_CREDENTIALS"}
    given = {field: told[variable] for field, variable in named.items() if variable in told}
    return Settings(home=built.home, port_base=built.base, **given)  # type: ignore[arg-type] # checked when read


@contextmanager
def plain(of: Stack, folder: Path) -> Iterator[Server]:
    """The handler to compare with, on the same database server under the same URL."""
    with plain_handler(settings_of(of).mongo_url, folder) as server:
        yield server


@contextmanager
def plain_handler(mongo_url: str, folder: Path) -> Iterator[Server]:
    """The plain handler as a process, answering."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.plain", str(port)]
    server = Server(
        command, f"http://127.0.0.1:{port}", port, folder / "plain.log", {"PLAIN_MONGO_URL": mongo_url}
    )
    server.start()
    try:
        httpx.post(f"{server.url}/v1/submissions", json=ITEM, timeout=30).raise_for_status()
        yield server
    finally:
        server.stop()


def machine() -> dict[str, Any]:
    """What figures were measured on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load": [round(one, 1) for one in os.getloadavg()],
        "additions_per_second": _additions_per_second(),
    }


def _additions_per_second() -> float:
    """How fast one processor runs Python: what absolute figures of two machines are compared by."""
    count, total = 2_000_000, 0
    began = process_time()
    for number in range(count):
        total += number
    return round(count / (process_time() - began), -3)


def submission_of(answer: bytes) -> str:
    """The id in a receipt."""
    return str(json.loads(answer)["submission_id"])
