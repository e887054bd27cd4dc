"""Seeded SIGKILLs against a whole stack, each looked at: what was under way at the moment of the kill."""

import asyncio
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from shared.bus.outbox_log import LAST, between
from shared.failures import Failure, attempt
from shared.settings import embedded_database
from shared.storage.mongo import Client, Database, connect
from tests.support.stack import Stack

ENGINES: Final = ("nats", "database")
DATABASES: Final = {
    "ingest": ("people", "submissions"),
    "moderation": ("cases",),
    "publisher": ("publications",),
    "metrics": (),
}
TARGETS: Final = (
    *("publisher",) * 9,
    *("moderation",) * 4,
    *("ingest",) * 4,
    *("metrics",) * 4,
    *("nats",) * 3,
    *("database",) * 3,
    *("gateway",) * 2,
    "supervisor",
)
"""How often each is chosen, in proportion."""


@dataclass
class Tally:
    """What the kills hit."""

    kills: Counter[str] = field(default_factory=Counter)
    with_sending: int = 0
    """Kills while at least one delivery was in `sending`."""
    with_outbox: int = 0
    """Kills while something stored had not been published, as far as the store says."""
    telegram_in_flight: int = 0
    """Telegram deliveries in `sending` at those kills: each may be ambiguous, and Telegram cannot be asked."""


@dataclass
class Killer:
    """Kills parts of a stack, one after the other, from one seed."""

    stack: Stack
    seed: int
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def pid(self, name: str) -> int | None:
        """The process id of a part; `None` while it is being started again."""
        if name == "supervisor":
            assert self.stack.process is not None
            return self.stack.process.pid
        try:
            found = self.stack.pids()[name]
            os.kill(found, 0)
        except (OSError, ValueError, KeyError):
            return None
        return found

    async def strike(self, name: str, *, patient: bool = False) -> bool:
        """Stop the part, look at what is under way, then kill it. False when it was not running.

        A patient strike at the publisher waits a little for a delivery to be in `sending`.
        """
        client = connect(embedded_database(self.stack.base + 11), "pymongo", timeout_ms=1500)
        try:
            for attempts_left in reversed(range(60 if patient else 1)):
                pid = self.pid(name)
                if pid is None:
                    return False
                if name not in {"database", "supervisor"}:
                    os.kill(pid, signal.SIGSTOP)
                seen = await attempt(self._look(client))
                worth_it = not patient or isinstance(seen, Failure) or seen[0] > 0 or attempts_left == 0
                os.kill(pid, signal.SIGKILL if worth_it else signal.SIGCONT)
                if worth_it:
                    await self._note(name, seen)
                    return True
                await asyncio.sleep(0.02)
        finally:
            await client.close()
        return False

    async def _note(self, name: str, seen: tuple[int, int, int] | Failure) -> None:
        self.tally.kills[name] += 1
        if not isinstance(seen, Failure):
            sending, on_telegram, outboxes = seen
            self.tally.with_sending += sending > 0
            self.tally.with_outbox += outboxes > 0
            self.tally.telegram_in_flight += on_telegram
        if name == "supervisor":
            assert self.stack.process is not None
            await asyncio.to_thread(self.stack.process.wait, 10)

    async def _look(self, client: Client) -> tuple[int, int, int]:
        """Deliveries in `sending`, those of them on Telegram, and documents with something to publish."""
        sending: list[dict[str, Any]] = []
        async for document in client["publisher"]["publications"].find(
            {"deliveries.state": "sending"}, {"deliveries": 1}
        ):
            sending += [d for d in document["deliveries"] if d["state"] == "sending"]
        outboxes = 0
        for service, collections in DATABASES.items():
            for collection in collections:
                outboxes += await _filled(client[service], collection)
        outboxes += await _behind(client["ingest"])
        return len(sending), sum(d["channel"] == "tg" for d in sending), outboxes

    async def run(self, *, kills: int, pause: tuple[float, float]) -> None:
        """Strike until there were `kills`; the supervisor is started again by us, everything else by the supervisor."""
        while sum(self.tally.kills.values()) < kills:
            await asyncio.sleep(self.dice.uniform(*pause))
            name = self.dice.choice(TARGETS)
            struck = await self.strike(name, patient=name == "publisher")
            if struck and name == "supervisor":
                await asyncio.to_thread(self.stack.ready_again)


async def _filled(database: Database, collection: str) -> int:
    return len(
        await database[collection].find({"outbox.0": {"$exists": True}}, {"_id": 1}).limit(5).to_list(None)
    )


async def _behind(database: Database) -> int:
    """Submissions behind their process's checkpoint."""
    found = 0
    for each in await database["checkpoints"].find({}).to_list(None):
        sequences = between(each["_id"], each["confirmed"] + 1, LAST - 1)
        found += await database["submissions"].count_documents(sequences)
    return found
