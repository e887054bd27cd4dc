"""The job that carries deletions of accounts on, until nothing is left of them."""

import asyncio
from typing import Final

from services.ingest.account.service import AccountService
from shared.concurrency.wake_up import woken

EVERY_SECONDS: Final = 5.0
"""What waits for a channel is looked at this often."""


async def deletions(service: AccountService, wake: asyncio.Event) -> None:
    """Carry on for ever, at once when somebody has just asked for it."""
    while True:
        wake.clear()
        await service.drain()
        await woken(wake, EVERY_SECONDS)
