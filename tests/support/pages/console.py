"""The moderators' console as a real process, with submissions that come over the bus."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import httpx
from PIL import Image, ImageDraw

from shared.bus.consuming import Publisher, connection
from shared.bus.streams import provision
from shared.events import SUBMISSION_RECEIVED, Media, Role, Scopes, SubmissionReceived
from shared.identity.tokens import COOKIE, Issuer, Principal, jwks, signing_key
from shared.settings import MODERATION, Settings
from shared.storage.media import CLEAN, MediaStore
from shared.storage.mongo import connect
from tests.support.processes import Server, free_base, until

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Await from a test whose thread has a loop of its own already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@dataclass
class Console:
    """A running moderation service."""

    settings: Settings
    server: Server

    @property
    def prefix(self) -> str:
        """What its databases are called by."""
        return f"b{self.settings.port_base}_"

    @property
    def url(self) -> str:
        return f"http://localhost:{self.settings.port_base + MODERATION}"

    def token(self, person: str, role: Role = "moderator", **scopes: tuple[str, ...]) -> str:
        issuer = Issuer(signing_key(self.settings.keys / "tokens.pem"))
        return issuer.issue(Principal(person, role, Scopes(**scopes)), now=datetime.now(UTC))

    def cookie(self, person: str, role: Role = "moderator", **scopes: tuple[str, ...]) -> dict[str, Any]:
        """A session, as the sign-in page gives it."""
        value = self.token(person, role, **scopes)
        return {"name": COOKIE, "value": value, "url": "https://localhost", "secure": True, "httpOnly": True}

    def case(self, case_id: str) -> dict[str, Any] | None:
        """A case, once it is there."""
        headers = {"Authorization": f"Bearer {self.token('watcher', 'admin')}"}
        answer = httpx.get(f"{self.url}/v1/cases/{case_id}", headers=headers)
        found: dict[str, Any] = answer.json()
        return found if answer.status_code == 200 else None

    def submit(self, *events: SubmissionReceived) -> None:
        """Send submissions as ingest does, and wait until they wait."""

        async def publish() -> None:
            link = await connection(self.settings, name="test")
            for event in events:
                await Publisher(link).publish(
                    SUBMISSION_RECEIVED.subject,
                    event.model_dump_json().encode(),
                    stream=SUBMISSION_RECEIVED.stream,
                    message_id=str(event.event_id),
                )
            await link.close()

        run(publish())
        until(
            lambda: all(self.case(event.subject_id) is not None for event in events),
            seconds=20,
            what="the cases",
        )

    def clear(self) -> None:
        """Forget all cases."""

        async def forget() -> None:
            client = connect(self.settings.mongo_url)
            for name in ("cases", "lanes", "country_lanes", "seals"):
                await client[f"{self.prefix}moderation"][name].delete_many({})
            await client.close()

        run(forget())

    def photo(self, colour: tuple[int, int, int], alt: str) -> Media:
        """A photo that passed the safety pass."""
        image = Image.new("RGB", (1200, 800), colour)
        ImageDraw.Draw(image).polygon([(600, 100), (900, 400), (600, 700), (300, 400)], fill=(230, 200, 120))
        with BytesIO() as buffer:
            image.save(buffer, "JPEG")
            data = buffer.getvalue()
        digest = sha256(data).hexdigest()
        run(MediaStore(self.settings.media_url).put(f"{CLEAN}{digest}", data))
        return Media(sha256=digest, type="image/jpeg", bytes=len(data), width=1200, height=800, alt=alt)


def open_console(home: Path, nats_url: str, mongo_url: str) -> Console:
    """Start moderation on servers that run already; ingest's keys lie in its cache."""
    settings = Settings.from_env(home=home, nats=nats_url, mongo=mongo_url, port_base=free_base())

    async def provisioned() -> None:
        link = await connection(settings, name="provision")
        await provision(link, replicas=settings.stream_replicas, max_bytes=settings.stream_max_bytes)
        await link.close()

    run(provisioned())
    key = signing_key(settings.keys / "tokens.pem").public_key()
    cache = home / "cache" / "moderation-ingest-jwks.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps(jwks(key)))
    port = settings.port_base + MODERATION
    server = Server(
        [sys.executable, "-m", "services.moderation"],
        f"http://127.0.0.1:{port}",
        port,
        home / "moderation.log",
        {
            "KONULLU_HOME": str(home),
            "KONULLU_PORT_BASE": str(settings.port_base),
            "NATS_URL": nats_url,
            "MONGO_URL": mongo_url,
            "KONULLU_DATABASE_PREFIX": f"b{settings.port_base}_",
        },
    )
    server.start()
    until(
        lambda: httpx.get(f"{server.url}/readyz").status_code == 200,
        seconds=30,
        what="moderation being ready",
    )
    return Console(settings, server)
