"""Ingest and the gateway as real processes, for the portal's tests; the rest of the campaign is told by hand."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from services.ingest.people.store import People
from shared.bus.consuming import Publisher, connection
from shared.events import E, Role, Scopes, Topic
from shared.settings import Settings
from shared.storage.mongo import connect
from tests.support.processes import BIN, ROOT, Server, free_base

T = TypeVar("T")


@dataclass
class Desk:
    """A running portal. `ingest` may be killed and restarted."""

    base: int
    home: Path
    nats_url: str
    mongo_url: str
    ingest: Server
    gateway: Server

    @property
    def url(self) -> str:
        """Where people find it."""
        return f"http://localhost:{self.base}"

    def tell(self, topic: Topic[E], event: E) -> None:
        """Say something as another service would."""
        settings = Settings(nats=self.nats_url)

        async def publish() -> None:
            link = await connection(settings, name="test")
            body = event.model_dump_json().encode()
            await Publisher(link).publish(
                topic.subject, body, stream=topic.stream, message_id=str(event.event_id)
            )
            await link.close()

        aside(publish())

    def staff_link(self, role: Role) -> str:
        """The secret of a one-time link for a new staff member."""

        async def make() -> str:
            client = connect(self.mongo_url, "pymongo", app="test")
            people = People(client["browser_ingest"]["people"], left_over=True)
            person = await people.add_staff(role, "Somebody", Scopes(), datetime.now(UTC))
            secret = await people.add_link(person.person_id, datetime.now(UTC), timedelta(minutes=5))
            await client.close()
            return secret

        return aside(make())


def aside(work: Coroutine[Any, Any, T]) -> T:
    """Run in a thread of its own: the browser's driver keeps a loop in this one."""
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, work).result()


def fact() -> dict[str, object]:
    """What every event carries, but for its subject and version."""
    return {"event_id": uuid4(), "occurred_at": datetime.now(UTC)}


def open_desk(folder: Path, nats_url: str, mongo_url: str) -> Desk:
    """Start ingest and the gateway over `folder`."""
    base = free_base(13)
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("<!doctype html><title>Site</title><h1>Site</h1>")
    environment = {
        "KONULLU_PORT_BASE": str(base),
        "KONULLU_HOME": str(folder),
        "KONULLU_DATABASE_PREFIX": "browser_",
        "NATS_URL": nats_url,
        "MONGO_URL": mongo_url,
    }
    provision = Server(
        [sys.executable, "-m", "shared.bus.provision"], "", 0, folder / "provision.log", environment
    )
    _run_once(provision)
    ingest = Server(
        [sys.executable, "-m", "services.ingest"],
        f"http://127.0.0.1:{base + 1}",
        base + 1,
        folder / "ingest.log",
        environment,
    )
    gateway = Server(
        [
            str(BIN / "caddy"),
            "run",
            "--adapter",
            "caddyfile",
            "--config",
            str(ROOT / "deploy/caddy/Caddyfile"),
        ],
        f"http://localhost:{base}",
        base,
        folder / "gateway.log",
        {
            "XDG_DATA_HOME": str(folder / "caddy"),
            "XDG_CONFIG_HOME": str(folder / "caddy"),
            "GATEWAY_STATE": str(folder / "caddy"),
            "GATEWAY_ADDRESS": f"http://:{base}",
            "GATEWAY_SITE_FOLDER": str(folder / "site"),
            "GATEWAY_INGEST": f"127.0.0.1:{base + 1}",
        },
    )
    ingest.start()
    gateway.start()
    return Desk(base, folder, nats_url, mongo_url, ingest, gateway)


def _run_once(command: Server) -> None:
    subprocess.run(command.command, check=True, env={**os.environ, **command.environment}, timeout=60)
