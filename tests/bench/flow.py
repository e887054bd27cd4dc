"""The flow's own targets, measured on a whole stack from outside: accepting, claiming, publishing, memory, start."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final
from uuid import uuid4

import httpx

from shared.settings import embedded_database
from tests.bench.load import Load, request, run
from tests.bench.report import Finding, at_least, at_most, percentile, rate
from tests.people import Line, Staff, Volunteer, eventually
from tests.processes import Server, free_port
from tests.stack import SERVICES, Stack, stack

CONNECTIONS: Final = 64
SECONDS: Final = 8.0
ROUNDS: Final = 3
PER_SECOND: Final = 100
PACED_SECONDS: Final = 6
SAMPLED_EVERY: Final = 12
DECISIONS: Final = 15
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


@dataclass
class Measured:
    """A stack with somebody who sends and somebody who decides."""

    stack: Stack
    folder: Path
    line: Line
    author: Volunteer
    moderator: Staff
    until_first: float
    """Seconds from nothing to the first accepted submission."""


@asynccontextmanager
async def measured() -> AsyncIterator[Measured]:
    """A stack of this measurement's own."""
    with tempfile.TemporaryDirectory(prefix="konullu-bench-") as name:
        began = monotonic()
        with stack(Path(name), environment=UNLIMITED) as built:
            line = Line(built.url)
            author = await Volunteer.register(line, name="Bench", country="AZ", languages=["en"])
            await author.submit(ITEM)
            until_first = monotonic() - began
            moderator = Staff(line, await asyncio.to_thread(built.staff, "moderator", "Bench"))
            yield Measured(built, Path(name), line, author, moderator, until_first)
            await line.close()


@contextmanager
def plain(of: Stack, folder: Path) -> Iterator[str]:
    """The handler to compare with, on the same database server."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.plain", str(port), embedded_database(of.base + 11)]
    server = Server(command, f"http://127.0.0.1:{port}", port, folder / "plain.log")
    server.start()
    yield f"{server.url}/v1/submissions"
    server.stop()


async def p1() -> AsyncIterator[Finding]:
    """Durable accepts, in rounds that alternate, so that a busy minute of the machine hits both."""
    async with measured() as on:
        ours = f"http://127.0.0.1:{on.stack.port('ingest')}/v1/submissions"

        async def load(url: str) -> Load:
            def make() -> bytes:
                return request(url, ITEM, {**on.author.headers, "Idempotency-Key": uuid4().hex})

            return await run(url, make, connections=CONNECTIONS, seconds=SECONDS)

        with plain(on.stack, on.folder) as theirs:
            rounds = [(await load(ours), await load(theirs)) for _ in range(ROUNDS)]
    rounds.sort(key=lambda pair: pair[0].per_second / pair[1].per_second)
    mine, other = rounds[len(rounds) // 2]
    yield at_least("P1", "accepts against a plain handler", mine.per_second / other.per_second, 3)
    yield at_most("P1", "accepts, p99", mine.p99 * 1000, 150)
    yield rate("P1", "accepts", int(mine.per_second * SECONDS), SECONDS)
    yield rate("P1", "the plain handler", int(other.per_second * SECONDS), SECONDS)


async def p2() -> AsyncIterator[Finding]:
    """From the receipt to claimable, while a hundred submissions a second come in."""
    times: list[float] = []
    async with measured() as on:

        async def one(number: int) -> None:
            sent = await on.author.submit(ITEM)
            if number % SAMPLED_EVERY:
                return
            began = monotonic()
            while (held := await on.moderator.claim(submission_id=sent["submission_id"])) is None:
                await asyncio.sleep(0.005)
            times.append(monotonic() - began)
            await on.moderator.decide(held["claim_token"], "reject", reasons=["other"])

        async with asyncio.TaskGroup() as group:
            began = monotonic()
            for number in range(PER_SECOND * PACED_SECONDS):
                group.create_task(one(number))
                await asyncio.sleep(max(0.0, began + (number + 1) / PER_SECOND - monotonic()))
    yield at_most("P2", "accepted to claimable at 100/s, p50", percentile(times, 0.5) * 1000, 50)
    yield at_most("P2", "accepted to claimable at 100/s, p99", percentile(times, 0.99) * 1000, 250)


async def p3() -> AsyncIterator[Finding]:
    """From the decision to the first byte at the partner's webhook, with nothing else going on."""
    times: list[float] = []
    async with measured() as on, httpx.AsyncClient(base_url=on.stack.webhook.url) as partner:
        for _ in range(DECISIONS):
            sent = await on.author.submit(ITEM)
            held = await eventually(on.moderator.claim, seconds=30, what="the case")
            while held["submission"]["submission_id"] != sent["submission_id"]:
                await on.moderator.decide(held["claim_token"], "reject", reasons=["other"])
                held = await eventually(on.moderator.claim, seconds=30, what="the case")
            began = monotonic()
            await on.moderator.decide(held["claim_token"])
            while sent["submission_id"] not in (await partner.get("/timeline")).text:
                await asyncio.sleep(0.002)
            times.append(monotonic() - began)
    yield at_most("P3", "decision to the webhook, idle, p50", percentile(times, 0.5) * 1000, 50)
    yield at_most("P3", "decision to the webhook, idle, p99", percentile(times, 0.99) * 1000, 200)


async def p7() -> AsyncIterator[Finding]:
    """Memory of each service at rest, and how long a start takes (P8)."""
    async with measured() as on:
        for told in (await asyncio.to_thread(on.stack.command, "status")).splitlines():
            name, *rest = told.split()
            if name in SERVICES:
                kib = Path(f"/proc/{rest[1]}/status").read_text().partition("VmRSS:")[2].split()[0]
                yield at_most("P7", f"memory of {name} at rest", int(kib) / 1024, 120, "MB")
        yield at_most("P8", "from nothing to the first accepted submission", on.until_first, 10, "s")
