"""Metrics as a real process of its own, told of reach over the bus."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

from shared.bus.consuming import Publisher, connection
from shared.bus.streams import provision
from shared.events import BY_SUBJECT, Event, Role, Scopes, Topic
from shared.identity.tokens import COOKIE, Issuer, Principal, jwks, signing_key
from shared.settings import METRICS, Settings
from tests.support.processes import Server, free_base, until
from tests.support.signed import publish_signed

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Await from a test whose thread has a loop of its own already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@dataclass
class Reach:
    """A running metrics process, which may be killed and started again."""

    settings: Settings
    server: Server
    told: list[Event] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.settings.port_base + METRICS}"

    def token(self, role: Role = "coordinator") -> str:
        issuer = Issuer(signing_key(self.settings.keys / "tokens.pem"))
        return issuer.issue(Principal("somebody", role, Scopes()), now=datetime.now(UTC))

    def cookie(self, role: Role = "coordinator") -> dict[str, Any]:
        """A session, as the sign-in page gives it."""
        value = self.token(role)
        return {"name": COOKIE, "value": value, "url": "https://localhost", "secure": True, "httpOnly": True}

    async def publish(self, *events: Event) -> None:
        """Tell events, each under an id of its own, so that the broker takes repeated ones too."""
        link = await connection(self.settings, name="test")
        publisher = Publisher(link)
        for start in range(0, len(events), 100):
            await asyncio.gather(*(self._publish(publisher, event) for event in events[start : start + 100]))
        await link.close()
        self.told += events

    async def _publish(self, publisher: Publisher, event: Event) -> None:
        topic: Topic[Any] = next(one for one in BY_SUBJECT.values() if one.event is type(event))
        await publish_signed(publisher, topic, event, signing_key(self.settings.keys / "tokens.pem"))

    def tell(self, *events: Event) -> None:
        run(self.publish(*events))

    def rows(self, query: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.url}/v1/reach?{query}", headers={"Authorization": f"Bearer {self.token()}"}, timeout=20
        )
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items

    def until_ready(self) -> None:
        until(lambda: _is_ready(self.url), seconds=60, what="metrics being ready")


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def open_reach(home: Path, nats_url: str, mongo_url: str) -> Reach:
    """Start metrics on servers that run already; ingest's keys lie in its cache."""
    base = free_base()
    settings = Settings.from_env(
        home=home, nats=nats_url, mongo=mongo_url, port_base=base, database_prefix=f"b{base}_"
    )

    async def provisioned() -> None:
        link = await connection(settings, name="provision")
        await provision(link, replicas=settings.stream_replicas, max_bytes=settings.stream_max_bytes)
        await link.close()

    run(provisioned())
    cache = home / "cache" / "metrics-ingest-jwks.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps(jwks(signing_key(settings.keys / "tokens.pem").public_key())))
    port = base + METRICS
    server = Server(
        [sys.executable, "-m", "services.metrics"],
        f"http://127.0.0.1:{port}",
        port,
        home / "metrics.log",
        {
            "KONULLU_HOME": str(home),
            "KONULLU_PORT_BASE": str(base),
            "NATS_URL": nats_url,
            "MONGO_URL": mongo_url,
            "KONULLU_DATABASE_PREFIX": settings.database_prefix,
        },
    )
    server.start()
    opened = Reach(settings, server)
    opened.until_ready()
    return opened
