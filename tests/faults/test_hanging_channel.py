"""A channel of which one call in twenty hangs: its own submission waits for it, and no other."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from services.publisher.channels.http_client import Timeouts, Wire
from services.publisher.channels.port import Post
from services.publisher.channels.telegram.adapter import Telegram
from services.publisher.deliveries.planning import decide
from services.publisher.deliveries.publication import Outlet, Publication
from services.publisher.deliveries.store import Deliveries
from services.publisher.dispatch.post_builder import Addresses
from services.publisher.dispatch.rate_limit_store import Accounts
from services.publisher.dispatch.worker import Surroundings, Worker
from shared.storage.media import MediaStore
from shared.storage.mongo import Database
from tests.servers.faults import Faults
from tests.servers.telegram import TOKEN, TelegramServer
from tests.support.builders.publications import approval_of

RATE: Final = 10.0
HANG: Final = 30 / RATE
"""Seconds that a call hangs for: as long as thirty calls take, which at one call a second is half a minute."""
SETTLED: Final = {"posted", "needs_human"}


def present() -> datetime:
    return datetime.now(UTC)


async def nothing(_: Post) -> None:
    """Short links need nothing here."""


@asynccontextmanager
async def working(database: Database, server: TelegramServer, media: MediaStore) -> AsyncIterator[Deliveries]:
    """A publisher's worker on a Telegram channel."""
    wire = Wire("tg", secrets=(TOKEN,), timeouts=Timeouts(look=HANG, change=HANG, upload=HANG))
    channel = Telegram(
        "tg",
        chat="@example",
        token=SecretStr(TOKEN),
        media=media,
        base_url=server.http.url,
        calls_per_second=RATE,
        wire=wire,
    )
    worker: list[Worker] = []

    def tell(publication: Publication) -> None:
        worker[0].tell(publication)

    addresses = Addresses("https://c.example", website=False)
    deliveries = Deliveries(
        database["publications"],
        (Outlet("tg", "telegram"),),
        addresses.target,
        clock=present,
        written=tell,
    )
    accounts = Accounts(database["accounts"], clock=present)
    worker.append(
        Worker(channel, Surroundings(deliveries, accounts, "here", present, addresses.post, nothing))
    )
    await deliveries.prepare()
    jobs = [asyncio.ensure_future(job()) for job in worker[0].jobs.values()]
    yield deliveries
    await worker[0].close()
    for job in jobs:
        job.cancel()
    await channel.close()


async def publish(deliveries: Deliveries, names: list[str]) -> tuple[Counter[str], float]:
    """Approve these submissions at once; what became of them, and how many a second were settled."""
    began = time.monotonic()
    for name in names:
        step = partial(decide, decision=approval_of(name), outlets=deliveries.outlets, now=present())
        await deliveries.change(name, step)
    async with asyncio.timeout(120):
        while True:
            known = [await deliveries.read(name) for name in names]
            found: Counter[str] = Counter(each.state for one in known for each in one.deliveries)
            if sum(found[state] for state in SETTLED) == len(names):
                return found, len(names) / (time.monotonic() - began)
            await asyncio.sleep(0.5)


async def test_a_call_that_hangs_delays_nobody_else_and_nothing_is_shown_twice(
    database: Database, tmp_path: Path
) -> None:
    media = MediaStore(f"file://{tmp_path}/media")
    faults = Faults(seed=5)
    server = TelegramServer(tmp_path / "server.log", faults=faults)
    await server.http.start()
    async with working(database, server, media) as deliveries:
        honest, alone = await publish(deliveries, [f"honest-{number}" for number in range(40)])
        faults.rates = {"hang_before": 0.025, "hang_after": 0.025}

        found, beside_hanging = await publish(deliveries, [f"lying-{number}" for number in range(120)])

    hung = faults.injected["hang_before"] + faults.injected["hang_after"]
    assert honest == {"posted": 40}
    assert hung >= 4, "the server hung too seldom to show anything"
    assert found == {"posted": 120 - hung, "needs_human": hung}
    assert beside_hanging >= alone / 2
    markers = [each["marker"] for each in server.timeline()]
    assert len(markers) == len(set(markers)) == 160 - faults.injected["hang_before"]
    await server.stop()
