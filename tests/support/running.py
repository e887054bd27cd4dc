"""A service running inside the test: its real wiring, on the real servers, in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
from fastapi import FastAPI

from shared.bus.consuming import connection
from shared.bus.rights import PROVISIONER
from shared.bus.streams import provision
from shared.identity.tokens import Keys
from shared.runtime.service import Parts, Process, Runtime, build_runtime, create_app, wire
from shared.settings import Settings
from shared.storage.mongo import connect
from tests.support.processes import free_base, within


@dataclass
class Running:
    """A running service and a client that speaks to it."""

    runtime: Runtime
    parts: Parts
    process: Process
    app: FastAPI
    http: httpx.AsyncClient


async def provisioned(settings: Settings) -> None:
    """The streams and consumers, as the provisioner makes them."""
    link = await connection(settings, name="provision", user=PROVISIONER)
    await provision(link, replicas=settings.stream_replicas, max_bytes=settings.stream_max_bytes)
    await link.close()


def settings_for(home: Path, *, nats_url: str, mongo_url: str, **more: object) -> Settings:
    """Settings of a stack of this test's own."""
    return Settings.from_env(
        home=home,
        nats=nats_url,
        mongo=mongo_url,
        port_base=free_base(),
        database_prefix=f"t{uuid4().hex[:8]}_",
        **more,
    )


@asynccontextmanager
async def running(
    name: str,
    settings: Settings,
    assemble: Callable[[Runtime], Parts],
    *,
    keys: Keys | None = None,
    wait: bool = True,
) -> AsyncIterator[Running]:
    """The service, ready; stopped and its database removed afterwards."""
    runtime = build_runtime(name, settings, keys=keys)
    parts = assemble(runtime)
    wire(runtime, parts)
    process = Process(runtime, parts)
    app = create_app(process)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        await process.start()
        try:
            if wait:
                async with within(30):
                    while not runtime.health.ready and process.refusal is None:
                        await asyncio.sleep(0.02)
            yield Running(runtime, parts, process, app, http)
        finally:
            await _dropped(settings, runtime.database.name)
            await process.finish()


async def _dropped(settings: Settings, name: str) -> None:
    """Remove a database, however long a busy machine takes."""
    client = connect(settings.mongo_url, timeout_ms=60_000)
    await client.drop_database(name)
    await client.close()
