"""A broker that knows its users, as every deployment's does, and links to it as one of them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from deploy.nats import users
from shared.bus.consuming import connection_options
from shared.settings import Settings
from tests.support.processes import Server, start_nats, within

REFUSED: Final = re.compile(
    r"permissions violation for (?:publish to|subscription to) \"([^\"]+)\"", re.IGNORECASE
)


@dataclass(frozen=True)
class GuardedBroker:
    """A running broker and the folder of its users' seeds."""

    server: Server
    keys: Path

    def settings(self, user: str) -> Settings:
        """The settings of a process of this user."""
        return Settings.from_env(
            nats=self.server.url, nats_credentials=users.seed_file(self.keys, user), home=self.keys.parent
        )


def start_guarded(folder: Path) -> GuardedBroker:
    """A broker over `folder` with the users and rights that the repository gives."""
    keys = folder / "keys"
    (folder / "users.conf").write_text(users.configuration(users.public_keys(keys)))
    return GuardedBroker(start_nats(folder, 'include "users.conf"'), keys)


@dataclass
class Link:
    """Somebody's connection, and every subject that the broker has refused them, in small letters as the client says it."""

    client: Client
    refused: list[str] = field(default_factory=list)

    async def is_refused(self, subject: str) -> bool:
        """Whether the broker says no to `subject`; wait for what it says of all that went before."""
        await self.client.flush()
        async with within(5):
            while subject.lower() not in self.refused:
                await asyncio.sleep(0.01)
        return True

    async def publish(self, subject: str, body: bytes = b"{}", reply: str = "") -> None:
        """Without waiting for an answer: what is refused has none."""
        await self.client.publish(subject, body, reply=reply)


@asynccontextmanager
async def linked(settings: Settings, user: str) -> AsyncIterator[Link]:
    """A connection as this user."""
    link = Link(Client())

    async def note(error: Exception) -> None:
        if found := REFUSED.search(str(error)):
            link.refused.append(found[1])

    await link.client.connect(
        settings.nats_urls, error_cb=note, **connection_options(settings, name="test", user=user)
    )
    try:
        yield link
    finally:
        await link.client.close()
