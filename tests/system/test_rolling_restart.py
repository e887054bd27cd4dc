"""A service is replaced again and again while events come: each is taken once, none waits for a consumer's patience."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.bus.consuming import Publisher, connection
from shared.bus.streams import ACK_WAIT_SECONDS, consumer_of
from shared.events import SUBMISSION_WITHDRAWN as TOPIC
from shared.events import SubmissionWithdrawn
from shared.identity.tokens import jwks
from shared.settings import MODERATION, Settings
from shared.storage.mongo import connect
from tests.support.processes import Server, free_base, start_mongo, start_nats
from tests.support.running import provisioned, settings_for
from tests.support.signed import publish_signed

INGEST: Final = Ed25519PrivateKey.generate()
RESTARTS: Final = 3
PER_SECOND: Final = 100


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Server]:
    server = start_nats(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def mongo(tmp_path: Path) -> Iterator[Server]:
    server = start_mongo(tmp_path)
    yield server
    server.stop()


def begin(how: str, settings: Settings, folder: Path) -> Server:
    """One more process of the service."""
    base = free_base()
    home = folder / f"home-{base}"
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "moderation-ingest-jwks.json").write_text(json.dumps(jwks(INGEST.public_key())))
    environment = {
        "KONULLU_HOME": str(home),
        "KONULLU_PORT_BASE": str(base),
        "KONULLU_DATABASE_PREFIX": settings.database_prefix,
        "NATS_URL": settings.nats_urls[0],
        "MONGO_URL": settings.mongo_url,
    }
    port = base + MODERATION
    command = [sys.executable, "-m", "tests.support.taking_service", how]
    server = Server(command, f"http://127.0.0.1:{port}", port, folder / f"{base}.log", environment)
    server.start()
    return server


async def ready(server: Server) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient(base_url=server.url) as http:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def publish(settings: Settings, enough: asyncio.Event) -> int:
    """One event after the other until there are enough; how many there were."""
    link = await connection(settings, name="test")
    publisher, number = Publisher(link), 0
    while not enough.is_set():
        event = SubmissionWithdrawn(
            event_id=uuid4(), occurred_at=datetime.now(UTC), subject_id=str(number), version=1
        )
        await publish_signed(publisher, TOPIC, event, INGEST, str(event.event_id))
        number += 1
        await asyncio.sleep(1 / PER_SECOND)
    await link.close()
    return number


@pytest.mark.parametrize("how", ["singly", "together"])
async def test_replacing_a_service_under_load_loses_and_doubles_nothing_and_holds_nothing_up(
    tmp_path: Path, nats: Server, mongo: Server, how: str
) -> None:
    settings = settings_for(tmp_path / "home", nats_url=nats.url, mongo_url=mongo.url)
    await provisioned(settings)
    current = begin(how, settings, tmp_path)
    try:
        await ready(current)
        enough = asyncio.Event()
        coming = asyncio.create_task(publish(settings, enough))
        for _ in range(RESTARTS):
            following = await asyncio.to_thread(begin, how, settings, tmp_path)
            old, current = current, following
            await ready(following)
            old.signal(signal.SIGTERM)
            assert old.process is not None
            assert await asyncio.to_thread(old.process.wait, 15) == 0
        enough.set()
        count = await coming

        link = await connection(settings, name="test")
        durable = consumer_of("moderation", TOPIC).durable
        async with asyncio.timeout(ACK_WAIT_SECONDS / 2):
            while True:
                info = await link.jetstream().consumer_info(TOPIC.stream, durable)
                if (info.num_pending, info.num_ack_pending) == (0, 0):
                    break
                await asyncio.sleep(0.1)
        await link.close()
    finally:
        current.stop()

    client = connect(mongo.url)
    taken = client[f"{settings.database_prefix}moderation"]["taken"]
    times = {document["_id"]: document["times"] async for document in taken.find({})}
    await client.close()
    assert times == {str(number): 1 for number in range(count)}
